"""Labelled pictures on disk, small: folders and arrays."""

import numpy as np
from PIL import Image

from helpers.pictures import random_bytes


def arrays(count=24, classes=3, side=8, seed=0):
    """Pictures of noise, and their labels."""
    return {
        "images": random_bytes(count, side, side, 3, seed=seed),
        "labels": np.arange(count) % classes,
    }


def npz_folder(folder, count=24, val=9, **options):
    """A folder of train.npz and test.npz."""
    np.savez(folder / "train.npz", **arrays(count, **options))
    np.savez(folder / "test.npz", **arrays(val, seed=1, **options))
    return folder


def picture_folder(
    folder, sizes=((8, 8),), classes=("cat", "dog"), each=4, splits=("train", "val")
):
    """A folder of SPLIT/CLASS/*.png, their sizes in turn."""
    for split in splits:
        for name in classes:
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(each):
                pixels = random_bytes(*sizes[number % len(sizes)], 3, seed=number)
                Image.fromarray(pixels).save(place / f"{number}.png")
    return folder


def break_file(path):
    """Leave half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
