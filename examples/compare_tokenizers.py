"""What tokenizers make of a photograph: side by side, in numbers, and when it changes a little.

    python examples/compare_tokenizers.py [IMAGE] [-n TOKENS] [-o DIR]

Writes to DIR (by default `out/` of the repository) three pictures: comparison.png, statistics.png
and stability.png. docs/inspection.md says how to read them. To compare more, add a line to
`tokenizers`: any function that makes TokenData of an image will do.
"""

import argparse
from pathlib import Path

import torch

from spitgraph import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer, inspection
from spitgraph.images import load_image

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "examples" / "pictures" / "chelsea.jpg"


def tokenizers(count: int, height: int, width: int) -> dict:
    """By name; all make about as many tokens of an image of this size."""
    return {
        "superpixels": SuperpixelTokenizer(num_tokens=count),
        "fine superpixels": SuperpixelTokenizer(num_tokens=count, quality="fine"),
        "patches": PatchTokenizer(max(1, round((height * width / count) ** 0.5))),
        "Voronoi cells": lambda image: VoronoiTokenizer(
            count, generator=torch.Generator().manual_seed(0)
        )(image),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare tokenizers on a photograph.")
    parser.add_argument("image", nargs="?", type=Path, default=PICTURE)
    parser.add_argument("-n", "--num-tokens", type=int, default=196)
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "out")
    args = parser.parse_args()
    try:
        compare(args)
    except (ImportError, OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")


def compare(args: argparse.Namespace) -> None:
    image = load_image(args.image)
    makers = tokenizers(args.num_tokens, *image.shape[1:])
    tokens = {name: make(image) for name, make in makers.items()}
    tables = {name: inspection.stability(image, make) for name, make in makers.items()}
    print(inspection.comparison_table(tokens).round(3).to_string())
    args.out.mkdir(parents=True, exist_ok=True)
    inspection.plot_comparison(tokens).savefig(args.out / "comparison.png")
    inspection.plot_statistics(tokens).savefig(args.out / "statistics.png")
    inspection.plot_stability(tables).savefig(args.out / "stability.png")
    print(f"comparison.png, statistics.png and stability.png are in {args.out}")


if __name__ == "__main__":
    main()
