"""Pictures in folders, one a class."""

import os

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from spitgraph.train.pictures.base import Pictures, check_classes, pixels_of, stamp_of

#: What files of pictures end in.
ENDINGS = (
    *(".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".jp2", ".avif"),
)


class FolderPictures(Pictures):
    """The pictures of `CLASS/*.jpg` (or png, webp, …) in a folder.

    Folders are listed once. Hidden ones, and files of other endings, do not count.

    Raises:
        ValueError: There are no classes, or one has no pictures.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.classes = tuple(sorted(subfolders(folder)))
        files = [sorted(pictures_in(os.path.join(folder, name))) for name in self.classes]
        counts = torch.tensor([len(names) for names in files], dtype=torch.int64)
        self.labels = torch.arange(len(files)).repeat_interleave(counts)
        check_classes(self.classes, self.labels, folder)
        # one array, not a million objects: workers that fork would copy what they count
        self._files = np.array([os.fsencode(name) for names in files for name in names])

    def name(self, index: int) -> str:
        """Path of a picture."""
        file = os.fsdecode(bytes(self._files[index]))
        return os.path.join(self.folder, self.classes[int(self.labels[index])], file)

    def stamp(self, index: int) -> bytes:
        """See `Pictures`."""
        return stamp_of(self.name(index))

    def picture(self, index: int) -> UInt8[Tensor, "3 H W"]:
        """See `Pictures`."""
        return pixels_of(self.name(index))


def subfolders(folder: str) -> list[str]:
    """Names of the folders in a folder."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.name[0] != "." and entry.is_dir()]


def pictures_in(folder: str) -> list[str]:
    """Names of the files in a folder that end as pictures do."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    return [name for name in names if name[0] != "." and name.lower().endswith(ENDINGS)]
