"""How much tokens move when an image changes a little: spitgraph beside other superpixels.

    python benchmarks/stability.py FOLDER [--count 20] [--side 512] [--patch 32] [--markdown FILE]

Of the folder's first photographs, scaled so that their longer side is at most so many pixels. Every
method makes as many tokens as there are patches, or as nearly as its setting allows. Means over
photographs; what the columns mean is said in docs/inspection.md. With --figure, the stability card
is drawn too.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas
import torch
from partition_peers import PEERS, matched
from pictures import photographs
from PIL import Image
from tqdm import tqdm

from spitgraph import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer
from spitgraph.images import load_image
from spitgraph.inspection import plot_stability, stability, to_pil

TokenMaker = Callable[[torch.Tensor], object]
#: Methods of others.
OTHERS = ["scikit-image SLIC", "fast-slic"]
#: Rows that are no change.
NO_CHANGE = ["the same again", "chance"]


def methods(image: torch.Tensor, count: int, patch: int) -> dict[str, TokenMaker]:
    """Makers of about so many tokens of an image."""
    peers = {name: matched(PEERS[name], count, [as_bytes(image)])[0] for name in OTHERS}
    return {
        "superpixels": SuperpixelTokenizer(num_tokens=count),
        "superpixels, ward": SuperpixelTokenizer(num_tokens=count, similarity="ward"),
        "superpixels, fine": SuperpixelTokenizer(num_tokens=count, quality="fine"),
        **{name: partial(of_bytes, method) for name, method in peers.items()},
        "patches": PatchTokenizer(patch),
        "Voronoi cells": partial(same_cells, count),
    }


def of_bytes(method: Callable, image: torch.Tensor) -> np.ndarray:
    """Labels of a method of others, which read 8 bits."""
    return np.asarray(method(as_bytes(image))).astype(np.int64)


def as_bytes(image: torch.Tensor) -> np.ndarray:
    return np.array(to_pil(image))


def same_cells(count: int, image: torch.Tensor) -> object:
    """Cells of the same seeds in every picture."""
    return VoronoiTokenizer(count, generator=torch.Generator().manual_seed(0))(image)


def scaled(path: Path, side: int) -> torch.Tensor:
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return load_image(picture)


def measured(paths: list[Path], side: int, patch: int) -> dict[str, pandas.DataFrame]:
    """Of each method, the mean table."""
    found: dict[str, list[pandas.DataFrame]] = {}
    for path in tqdm(paths):
        image = scaled(path, side)
        count = len(PatchTokenizer(patch)(image).size)
        for name, make in methods(image, count, patch).items():
            found.setdefault(name, []).append(stability(image, make))
    return {
        name: pandas.concat(tables).groupby(level=0, sort=False).mean()
        for name, tables in found.items()
    }


def summary(tables: dict[str, pandas.DataFrame]) -> pandas.DataFrame:
    """A row a method: means over all changes, beside chance."""
    rows = {}
    for name, table in tables.items():
        mean, chance = table.drop(NO_CHANGE).mean(), table.loc["chance"]
        own = table.loc["the same again"]
        rows[name] = {
            "tokens": own["tokens"],
            "EV": own["explained_variation"],
            "covering": mean["covering"],
            "by chance": chance["covering"],
            "above chance": (mean["covering"] - chance["covering"]) / (1 - chance["covering"]),
            "ASA": mean["accuracy"],
            "BR, 2 px": mean["boundary_recall"],
            "BR by chance": chance["boundary_recall"],
            "VI, bits": mean["information"],
            "EV, changed": mean["explained_variation"],
        }
    return pandas.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def markdown(table: pandas.DataFrame) -> str:
    def cell(value: float) -> str:
        return f"{value:.0f}" if value > 20 else f"{value:.3f}"

    head = [str(table.index.name), *map(str, table.columns)]
    lines = [head, ["---", *["---:"] * len(table.columns)]]
    for name, row in zip(table.index, table.values, strict=True):
        lines.append([str(name), *map(cell, row)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how stable tokens are.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=20, help="photographs")
    parser.add_argument("--side", type=int, default=512, help="pixels of the longer side, at most")
    parser.add_argument("--patch", type=int, default=32, help="side of a patch: as many tokens")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--figure", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    tables = measured(photographs(args.folder)[: args.count], args.side, args.patch)
    covering = pandas.DataFrame({name: table["covering"] for name, table in tables.items()})
    text = f"{markdown(summary(tables))}\n\n{markdown(covering)}\n"
    print(text, f"{time.process_time() - start:.0f} s of CPU time", sep="\n")
    if args.markdown:
        args.markdown.write_text(text, encoding="utf8")
    if args.figure:
        plot_stability(tables).savefig(args.figure)


if __name__ == "__main__":
    main()
