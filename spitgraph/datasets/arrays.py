"""CIFAR-10 and MNIST as their archives unpack."""

import gzip
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from spitgraph.train.pictures.base import Pictures, open_pictures, stamp_of

CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_CIFAR10 = {
    "train": [f"data_batch_{number}" for number in range(1, 6)],
    "val": ["test_batch"],
}
_MNIST = {"train": "train", "val": "t10k"}
#: What pickles of arrays name; nothing else is made of those that are read here.
_ARRAY_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class HeldPictures(Pictures):
    """Pictures in memory.

    Args:
        images: [n, 3, H, W] or grey [n, H, W] uint8.
        labels: [n] integers.
        classes: Their names.
        path: Where they come from.
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], path: str
    ) -> None:
        if len(images) != len(labels) or not len(images):
            raise ValueError(f"{path}: got {len(images)} pictures and {len(labels)} labels")
        if labels.min() < 0 or labels.max() >= len(classes):
            raise ValueError(f"{path}: labels must be in 0 … {len(classes) - 1}")
        self.images, self.classes, self.path = images, classes, path
        self.labels = torch.from_numpy(labels.astype(np.int64))

    def name(self, index: int) -> str:
        """As `t10k[17]`."""
        return f"{self.path}[{index}]"

    def stamp(self, index: int) -> bytes:
        """See `Pictures`."""
        return stamp_of(self.path)

    def picture(self, index: int) -> UInt8[Tensor, "3 H W"]:
        """See `Pictures`."""
        image = self.images[index]
        return torch.from_numpy(np.array(np.broadcast_to(image, (3, *image.shape[-2:]))))


def cifar10_pictures(root: str, split: str) -> Pictures:
    """CIFAR-10 from `cifar-10-batches-py/`, `cifar-10-batches-bin/`, or what `open_pictures` takes.

    Raises:
        FileNotFoundError: It is not there.
        ValueError: A file is damaged.
    """
    for folder, ending, read in (
        ("cifar-10-batches-py", "", _cifar10_pickle),
        ("cifar-10-batches-bin", ".bin", _cifar10_binary),
    ):
        for place in (Path(root, folder), Path(root)):
            paths = [place / f"{name}{ending}" for name in _CIFAR10[split]]
            if all(path.is_file() for path in paths):
                read_all = [read(path) for path in paths]
                images = np.concatenate([images for images, _ in read_all])
                labels = np.concatenate([labels for _, labels in read_all])
                return HeldPictures(images, labels, CIFAR10_CLASSES, str(paths[0]))
    return open_pictures(root, split)


def _cifar10_binary(path: Path) -> tuple[np.ndarray, np.ndarray]:
    raw = np.fromfile(path, np.uint8)
    if not len(raw) or len(raw) % 3073:
        raise ValueError(f"{path} is damaged: {len(raw)} bytes are no rows of 3073")
    rows = raw.reshape(-1, 3073)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0]


def _cifar10_pickle(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with open(path, "rb") as file:
            held = ArrayUnpickler(file, encoding="bytes").load()
        return np.asarray(held[b"data"], np.uint8).reshape(-1, 3, 32, 32), np.array(held[b"labels"])
    except Exception as error:  # on broken bytes, unpicklers raise nearly anything
        raise ValueError(f"cannot read {path}: {error}") from error


class ArrayUnpickler(pickle.Unpickler):
    """Reads arrays, lists and bytes, and refuses what could run code."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle names."""
        if (module, name) not in _ARRAY_NAMES:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no array")
        return super().find_class(module, name)


def mnist_pictures(root: str, split: str) -> Pictures:
    """MNIST from `train-images-idx3-ubyte` and so on, also in `raw/` or `MNIST/raw/`, also `.gz`.

    Or what `open_pictures` takes.

    Raises:
        FileNotFoundError: It is not there.
        ValueError: A file is damaged.
    """
    for place in (Path(root), Path(root, "raw"), Path(root, "MNIST", "raw")):
        found = [
            _with_ending(place / f"{_MNIST[split]}-{what}-ubyte")
            for what in ("images-idx3", "labels-idx1")
        ]
        if all(found):
            images, labels = (_idx(str(path)) for path in found)
            names = tuple(str(digit) for digit in range(10))
            return HeldPictures(images, labels, names, str(found[0]))
    return open_pictures(root, split)


def _with_ending(path: Path) -> Path | None:
    """A file or its compressed version."""
    packed = path.with_name(f"{path.name}.gz")
    return next((there for there in (path, packed) if there.is_file()), None)


def _idx(path: str) -> np.ndarray:
    """The array of an idx file."""
    opened = gzip.open if path.endswith(".gz") else open
    try:
        with opened(path, "rb") as file:
            raw = file.read()
    except (OSError, EOFError) as error:
        raise ValueError(f"cannot read {path}: {error}") from error
    ndim = raw[3] if len(raw) > 3 and raw[:3] == b"\0\0\x08" else 0
    shape = np.frombuffer(raw, ">u4", ndim, 4) if len(raw) >= 4 + 4 * ndim else ()
    if ndim == 0 or len(raw) != 4 + 4 * ndim + int(np.prod(shape, dtype=np.int64)):
        raise ValueError(f"{os.path.basename(path)} is damaged: it is no idx file of bytes")
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * ndim).reshape(shape)
