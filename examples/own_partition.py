"""Regions made elsewhere as tokens: SLIC of scikit-image, or masks that people or models drew.

    python examples/own_partition.py [IMAGE] [--masks FILE ...] [-o PICTURE]

FILE are pictures of the image's size, black where a mask is not. A pixel in several masks goes to
the smallest, what is in none is the background. Without --masks, regions are scikit-image's SLIC.
PICTURE shows them, and beside them the same number of regions once `refine` has moved their borders
to those of the picture.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from spitgraph import TokenData, from_partition, inspection, refine
from spitgraph.extras import needs_extra
from spitgraph.images import load_image
from spitgraph.inspection import count_parts

ASTRONAUT = Path(__file__).resolve().parent / "pictures" / "astronaut.jpg"


def main() -> None:
    parser = argparse.ArgumentParser(description="Tokens of regions that were made elsewhere.")
    parser.add_argument("image", nargs="?", type=Path, default=ASTRONAUT)
    parser.add_argument("--masks", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--segments", type=int, default=200, help="that SLIC is asked for")
    parser.add_argument("-o", "--out", type=Path, default=Path("own-partition.png"))
    args = parser.parse_args()
    try:
        image = load_image(args.image)
        labels = from_masks(args.masks) if args.masks else slic(image, args.segments)
        tokens = from_partition(image, labels)
        print(f"{tokens.num_nodes} regions, {tokens.num_edges // 2} borders")
        shown = [tokens]
        if int(count_parts(tokens).max()) == 1:  # regions in pieces have no one border to move
            shown.append(refine(image, labels))
            moved = (shown[0].cluster != shown[1].cluster).float().mean()
            print(f"refined: {100 * moved:.1f} % of the pixels changed sides")
        draw(shown).save(args.out)
    except (ImportError, OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")
    print(f"to {args.out}")


def slic(image: torch.Tensor, segments: int) -> np.ndarray:
    """Label map [H, W] of scikit-image's SLIC."""
    with needs_extra("explain"):
        from skimage.segmentation import slic
    return slic(image.permute(1, 2, 0).numpy(), n_segments=segments, start_label=0)


def from_masks(paths: Sequence[Path]) -> np.ndarray:
    """Label map [H, W] of masks: smaller ones lie on larger ones, 0 is the background."""
    masks = [np.asarray(Image.open(path).convert("L")) > 0 for path in paths]
    labels = np.zeros(masks[0].shape, dtype=np.int64)
    for label, mask in enumerate(sorted(masks, key=np.sum, reverse=True), start=1):
        if mask.shape != labels.shape:
            raise ValueError(f"masks differ in size: {mask.shape} and {labels.shape}")
        labels[mask] = label
    return labels


def draw(partitions: Sequence[TokenData]) -> Image.Image:
    """The picture with the borders of each partition, side by side."""
    pictures = [inspection.to_pil(inspection.overlay(tokens, scale=2)) for tokens in partitions]
    strip = Image.new("RGB", (sum(one.width + 8 for one in pictures) - 8, pictures[0].height))
    for place, one in enumerate(pictures):
        strip.paste(one, (place * (one.width + 8), 0))
    return strip


if __name__ == "__main__":
    main()
