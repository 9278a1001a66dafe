"""Photographs become token graphs: what spitgraph does, in pictures.

    python examples/demo.py [IMAGE ...] [-o DIR]

For each photograph NAME.jpg, writes to DIR (by default `out/` of the repository):
    NAME-overlay.png   the photograph with the borders of its regions
    NAME-levels.png    its regions growing, level by level
    NAME.pt            the token graph: `spitgraph info` describes it; `torch.load` opens it, after
                       `from spitgraph import TokenData`
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from spitgraph import SuperpixelTokenizer, TokenData, inspection

ROOT = Path(__file__).resolve().parent.parent
PICTURES = sorted(ROOT.glob("examples/pictures/*.[jp][pn]g"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Tokenize photographs, and draw their tokens.")
    parser.add_argument("images", nargs="*", type=Path, default=PICTURES)
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "out")
    args = parser.parse_args()

    tokenizer = SuperpixelTokenizer(levels=5)
    tokenizer(args.images[0])  # the first call is slower: libraries load
    print(f"{'picture':<14} {'size':>11} {'tokens':>7} {'edges':>7} {'ms':>5}   written")
    for path in args.images:
        start = time.perf_counter()
        tokens = tokenizer(path)
        ms = 1000 * (time.perf_counter() - start)  # from file to graph
        files = write(tokens, args.out, path.stem)
        height, width = tokens.image_size[0].tolist()
        row = f"{path.stem:<14} {width:>5}×{height:<5} {tokens.num_nodes:>7}"
        print(f"{row} {tokens.num_edges // 2:>7} {ms:>5.0f}   {files}")
    print(f"to {args.out}")


def write(tokens: TokenData, out: Path, name: str) -> str:
    """All files of one picture; they move to `out` once they are complete."""
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out) as unfinished:
        new = Path(unfinished, name)
        inspection.to_pil(inspection.overlay(tokens, scale=2)).save(f"{new}-overlay.png")
        inspection.plot_hierarchy(tokens).savefig(f"{new}-levels.png")
        torch.save(tokens, f"{new}.pt")
        files = sorted(Path(unfinished).iterdir())
        for file in files:
            file.replace(out / file.name)
    return ", ".join(file.name for file in files)


if __name__ == "__main__":
    main()
