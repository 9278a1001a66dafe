"""Pictures with labels: which there are, of which classes, and the pixels of any of them."""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64, Shaped, UInt8
from torch import Tensor

from spitgraph.checks import file_path, one_of
from spitgraph.images import checked_image

#: The names that a split may have where it lies.
SPLITS = {"train": ("train",), "val": ("val", "valid", "validation", "test")}
#: How a source begins that is a data set of Hugging Face.
HUGGING_FACE = "hf:"


class Pictures(ABC):
    """Labelled pictures of one split.

    Attributes:
        classes: Their names, sorted where they are names of folders.
        labels: [n] int64, class of each picture.
    """

    classes: tuple[str, ...]
    labels: Int64[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def picture(self, index: int) -> UInt8[Tensor, "3 H W"]:
        """The pixels of a picture.

        Raises:
            UnreadableImageError: It cannot be decoded; the message names it.
        """

    @abstractmethod
    def name(self, index: int) -> str:
        """Where a picture is: its path, or as `test.npz[17]`."""

    def stamp(self, index: int) -> bytes:
        """What changes when the file that a picture comes from does."""
        return b""


def open_pictures(source: Any, split: str) -> Pictures:
    """Labelled pictures from wherever they are.

    Args:
        source: One of

            - a folder of `SPLIT/CLASS/*.jpg` (or png, webp, …),
            - a folder of `SPLIT.npz`, or such a file itself: `images` [n, H, W, 3] or [n, H, W]
              uint8, `labels` [n] integers, and if wanted `classes` [C], their names;
            - `"hf:NAME"` or `"hf:NAME:CONFIGURATION"`, a data set of Hugging Face (extra
              `datasets`), whose columns of pictures and classes are found by their types.
        split: `"train"`, or `"val"`, which may be called val, valid, validation or test there.

    Raises:
        FileNotFoundError: There is no such folder or file, or no such split in it.
        ValueError, TypeError: There are no classes, one has no pictures, or arrays do not fit.
    """
    names = SPLITS[one_of(split, SPLITS, "split")]
    place = file_path(source, "source")
    if place.startswith(HUGGING_FACE):
        from spitgraph.train.pictures.hugging_face import HuggingFacePictures

        return HuggingFacePictures(place.removeprefix(HUGGING_FACE), names)
    from spitgraph.train.pictures.arrays import ArrayPictures
    from spitgraph.train.pictures.folders import FolderPictures

    if place.lower().endswith(".npz"):
        return ArrayPictures(place)
    for name in names:
        if os.path.isdir(os.path.join(place, name)):
            return FolderPictures(os.path.join(place, name))
        if os.path.isfile(os.path.join(place, f"{name}.npz")):
            return ArrayPictures(os.path.join(place, f"{name}.npz"))
    raise missing(place, names)


def missing(place: str, names: tuple[str, ...]) -> OSError:
    """The error that says what is there in place of a split."""
    if not os.path.exists(place):
        return FileNotFoundError(f"there is no {place}")
    if not os.path.isdir(place):
        return NotADirectoryError(f"expected a folder, an .npz file or 'hf:NAME', got {place}")
    wanted = " or ".join(f"{name}/ or {name}.npz" for name in names)
    found = sorted(path.name + "/" * path.is_dir() for path in Path(place).iterdir())
    there = ", ".join(found[:10]) + ", …" * (len(found) > 10)
    return FileNotFoundError(f"expected {wanted} in {place}, found {there or 'nothing'}")


def pixels_of(source: Any) -> UInt8[Tensor, "3 H W"]:
    """Anything that holds a picture as 8-bit RGB: deeper shades are rounded to it."""
    image: Shaped[Tensor, "3 H W"] = checked_image(source)
    if image.is_floating_point():
        image = image.mul(255).round_().to(torch.uint8)
    return image.contiguous()


def stamp_of(path: str) -> bytes:
    """A file's size and the time of its last change."""
    try:
        status = os.stat(path)
    except OSError:
        return b""
    return f"{status.st_size} {status.st_mtime_ns}".encode()


def check_classes(classes: tuple[str, ...], labels: Int64[Tensor, " n"], place: str) -> None:
    """Refuse classes without pictures."""
    if not classes:
        raise ValueError(f"there are no classes in {place}")
    counts = labels.bincount(minlength=len(classes)).tolist()
    empty = [name for name, count in zip(classes, counts, strict=True) if count == 0]
    if empty:
        named = ", ".join(map(repr, empty[:5])) + ", …" * (len(empty) > 5)
        raise ValueError(f"there are no pictures of class {named} in {place}")
