"""Pictures in the arrays of an .npz file."""

import os
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from spitgraph.train.pictures.base import Pictures, check_classes, stamp_of

_SHAPES = "[n, H, W, 3] or [n, H, W]"


class ArrayPictures(Pictures):
    """`images` [n, H, W, 3] or grey [n, H, W] uint8, and `labels` [n], of an .npz file.

    Classes are called by `classes` [C], and by their numbers where that is not there.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError, TypeError: An array is not there, or does not fit.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        images, labels, names = arrays_of(path)
        check(images, labels, path)
        if names is None:
            names = np.arange(int(labels.max(initial=-1)) + 1)
        self.images = images
        self.classes = tuple(str(name) for name in names)
        outside = labels >= len(self.classes)
        if outside.any():
            where = int(outside.argmax())
            raise ValueError(
                f"{path}: labels must be in 0 … {len(self.classes) - 1}, as there are "
                f"{len(self.classes)} classes, got {labels[where]} at {where}"
            )
        self.labels = torch.from_numpy(labels.astype(np.int64))
        check_classes(self.classes, self.labels, path)

    def name(self, index: int) -> str:
        """As `test.npz[17]`."""
        return f"{self.path}[{index}]"

    def stamp(self, index: int) -> bytes:
        """See `Pictures`."""
        return stamp_of(self.path)

    def picture(self, index: int) -> UInt8[Tensor, "3 H W"]:
        """See `Pictures`."""
        image = self.images[index]
        if image.ndim == 2:
            image = np.broadcast_to(image, (3, *image.shape))
        else:
            image = image.transpose(2, 0, 1)
        return torch.from_numpy(np.array(image, order="C"))


def arrays_of(path: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Images, labels and, if they are there, names of classes."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no {path}")
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
    except Exception as error:  # a broken archive raises nearly anything
        raise ValueError(f"cannot read {path}: {error}") from error
    for name in ("images", "labels"):
        if name not in held:
            raise ValueError(f"{path} has no array {name!r}, only {sorted(held)}")
    return held["images"], held["labels"], held.get("classes")


def check(images: Any, labels: Any, path: str) -> None:
    """Refuse arrays that are no labelled pictures."""
    if images.dtype != np.uint8:
        raise TypeError(f"{path}: images must be uint8, got {images.dtype}")
    is_colour = images.ndim == 4 and images.shape[3] == 3
    if not (is_colour or images.ndim == 3) or 0 in images.shape[1:3]:
        raise ValueError(f"{path}: images must be {_SHAPES}, got {list(images.shape)}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"{path}: labels must be integers, got {labels.dtype}")
    if labels.shape != (len(images),):
        raise ValueError(f"{path}: got {len(images)} images, and labels {list(labels.shape)}")
    if (labels < 0).any():
        where = int((labels < 0).argmax())
        raise ValueError(f"{path}: labels must not be negative, got {labels[where]} at {where}")
