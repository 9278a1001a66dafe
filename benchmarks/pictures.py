"""Photographs for the benchmarks, as squares of any side."""

from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

#: Larger images are mosaics of photographs of this side: an enlarged one would be too smooth.
TILE = 512


def photographs(folder: Path) -> list[Path]:
    """The folder's photographs."""
    paths = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in (".jpg", ".jpeg", ".png")]
    if not paths:
        raise SystemExit(f"{folder} holds no photographs (.jpg, .jpeg, .png)")
    return paths


def pictures(folder: Path, count: int, side: int) -> list[np.ndarray]:
    """Squares [side, side, 3] of the folder's photographs, from the first again if too few."""
    paths = photographs(folder)
    photos, size, per_row = cycle(paths), (min(side, TILE),) * 2, range(-(-side // TILE))

    def tile() -> np.ndarray:
        return np.array(ImageOps.fit(Image.open(next(photos)).convert("RGB"), size))

    def mosaic() -> np.ndarray:
        rows = [np.hstack([tile() for _ in per_row]) for _ in per_row]
        return np.ascontiguousarray(np.vstack(rows)[:side, :side])

    images = [mosaic() for _ in range(min(count, len(paths)))]
    return list(islice(cycle(images), count))
