"""How far tokens can go: the oracle bound of tokenizers, on true segmentations.

    python benchmarks/oracle.py FOLDER [--num-tokens 100 200 400] [--limit N] [--csv OUT]

FOLDER holds `ID.jpg` and `ID.npz` (`segmentations` [annotators, H, W]), of which each segment is a
class: bounds are averaged over annotators, then over images. Or it holds `images/ID.jpg` and
`masks/ID.png`: two classes, whose confusion is summed over all images. *centroid* is the pixel
accuracy if a token had the class of the pixel at its centroid, as in COCO-SP, not of its most
pixels. Patches are as many as their side allows, Voronoi cells are drawn from seed 0.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from spitgraph import PatchTokenizer, SuperpixelTokenizer, TokenData, VoronoiTokenizer
from spitgraph.datasets import SLICTokenizer
from spitgraph.labels import oracle_bound
from spitgraph.tokenizers import Tokenizer

try:
    import pandas as pd
except ImportError as error:
    raise SystemExit(f'{error.name} is missing: pip install "spitgraph[bench]"') from None

Truths = list[np.ndarray]
METHODS = ("superpixel", "fine", "slic", "patch", "voronoi")


def samples(folder: Path, limit: int | None) -> tuple[list[tuple[Path, Path]], bool]:
    """Pictures with what is true of each, and whether that is two classes."""
    in_folders = (folder / "images").is_dir()
    if in_folders:
        masks = {path.stem: path for path in (folder / "masks").iterdir()}
        pictures = sorted((folder / "images").iterdir())
        found = [(path, masks[path.stem]) for path in pictures if path.stem in masks]
    else:
        found = [(path, path.with_suffix(".npz")) for path in sorted(folder.glob("*.jpg"))]
    if not found:
        raise SystemExit(f"{folder} holds no pictures with segmentations or masks")
    return found[:limit], in_folders


def truths(path: Path) -> Truths:
    """Label maps of a picture, one an annotator."""
    if path.suffix == ".npz":
        with np.load(path) as file:
            return [one.astype(np.int64) for one in file["segmentations"]]
    return [(np.array(Image.open(path).convert("L")) > 127).astype(np.int64)]


def tokenizer(method: str, count: int, height: int, width: int) -> Tokenizer:
    """The tokenizer of about so many tokens."""
    if method in ("superpixel", "fine"):
        quality = "fine" if method == "fine" else "fast"
        return SuperpixelTokenizer(num_tokens=count, quality=quality)
    if method == "slic":
        return SLICTokenizer(count)
    if method == "voronoi":
        return VoronoiTokenizer(count, generator=torch.Generator().manual_seed(0))
    sides = range(1, max(height, width) + 1)
    nearest = min(sides, key=lambda side: abs(-(-height // side) * -(-width // side) - count))
    return PatchTokenizer(nearest)


def by_centroid(tokens: TokenData, truth: np.ndarray) -> float:
    """Pixel accuracy if a token is of the class of the pixel at its centroid."""
    x, y = tokens.pos.round().long().unbind(1)
    label = torch.from_numpy(truth)
    return float((label[y, x][tokens.cluster] == label.flatten()).double().mean())


def rows(folder: Path, counts: list[int], limit: int | None) -> Iterator[dict[str, object]]:
    """A row a method and count."""
    found, two_classes = samples(folder, limit)
    bounds: dict[tuple[str, int], list] = {(m, k): [] for m in METHODS for k in counts}
    numbers: dict[tuple[str, int], list] = {key: [] for key in bounds}
    for picture, path in tqdm(found, folder.name):
        image = np.array(Image.open(picture).convert("RGB"))
        true = truths(path)
        for method, count in bounds:
            tokens = tokenizer(method, count, *image.shape[:2])(image)
            some = [oracle_bound(tokens, one, ignore_index=None) for one in true]
            bounds[method, count].append(some)
            centroid = np.mean([by_centroid(tokens, one) for one in true])
            numbers[method, count].append((tokens.num_nodes, centroid))
    for (method, count), of_pictures in bounds.items():
        n, centroid = np.mean(numbers[method, count], axis=0)
        if two_classes:
            total = sum(bound for some in of_pictures for bound in some)
            accuracy, miou = total.accuracy, total.miou
        else:
            of_each = [[(b.accuracy, b.miou) for b in some] for some in of_pictures]
            accuracy, miou = np.mean([np.mean(some, axis=0) for some in of_each], axis=0)
        yield {
            "method": method,
            "K": count,
            "tokens": round(n, 1),
            "accuracy, %": round(100 * accuracy, 2),
            "mIoU, %": round(100 * miou, 2),
            "centroid, %": round(100 * centroid, 2),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description="The oracle bound of tokenizers.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--num-tokens", type=int, nargs="+", default=[100, 200, 400])
    parser.add_argument("--limit", type=int, help="pictures, at most (default: all)")
    parser.add_argument("--csv", type=Path)
    args = parser.parse_args()
    table = pd.DataFrame(rows(args.folder, args.num_tokens, args.limit))
    print(table.to_string(index=False))
    if args.csv:
        table.to_csv(args.csv, index=False)


if __name__ == "__main__":
    main()
