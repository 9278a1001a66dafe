"""Pictures with their labels, as data sets of graphs are made from."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from spitgraph.checks import file_path
from spitgraph.data import TokenData
from spitgraph.images import UnreadableImageError
from spitgraph.labels import with_image_labels, with_pixel_labels
from spitgraph.train.pictures.base import Pictures, open_pictures, pixels_of, stamp_of
from spitgraph.train.pictures.folders import pictures_in

#: What files of masks may end in.
MASK_ENDINGS = (".png", ".bmp", ".tif", ".tiff", ".gif", ".npy")


class Samples(ABC):
    """Pictures in an order, and what is known of each.

    Attributes:
        classes: Names of the classes 0, 1, …; empty where they have none.
    """

    classes: tuple[str, ...] = ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def picture(self, index: int) -> UInt8[Tensor, "3 H W"]:
        """The pixels of a picture.

        Raises:
            UnreadableImageError: It cannot be decoded; the message names it.
        """

    @abstractmethod
    def name(self, index: int) -> str:
        """Where a picture is."""

    def stamp(self, index: int) -> bytes:
        """What changes when the files that a sample comes from do."""
        return b""

    def labelled(self, tokens: TokenData, index: int) -> TokenData:
        """The graph of a picture with its labels.

        Raises:
            UnreadableImageError: They cannot be read; the message names them.
        """
        return tokens


class ClassSamples(Samples):
    """Pictures that have a class each: `y` [1] is that of the image."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures, self.classes = pictures, pictures.classes

    def __len__(self) -> int:
        return len(self.pictures)

    def picture(self, index: int) -> UInt8[Tensor, "3 H W"]:
        """See `Samples`."""
        return self.pictures.picture(index)

    def name(self, index: int) -> str:
        """See `Samples`."""
        return self.pictures.name(index)

    def stamp(self, index: int) -> bytes:
        """See `Samples`."""
        return self.pictures.stamp(index) + b" %d" % int(self.pictures.labels[index])

    def labelled(self, tokens: TokenData, index: int) -> TokenData:
        """See `Samples`."""
        return with_image_labels(tokens, self.pictures.labels[index])


class FileSamples(Samples):
    """Pictures of a folder without labels."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = list(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def picture(self, index: int) -> UInt8[Tensor, "3 H W"]:
        """See `Samples`."""
        return pixels_of(self.paths[index])

    def name(self, index: int) -> str:
        """See `Samples`."""
        return self.paths[index]

    def stamp(self, index: int) -> bytes:
        """See `Samples`."""
        return stamp_of(self.paths[index])


class MaskSamples(FileSamples):
    """Pictures with a mask of classes each: `y` [N] and `y_share` [N] are those of the tokens.

    Args:
        paths: Of the pictures.
        masks: Of their masks: pictures of mode L or P, or `.npy`.
        ignore_index: Class of the pixels that do not count.
        classes: Names, if they are known.
    """

    def __init__(
        self,
        paths: Sequence[str],
        masks: Sequence[str],
        ignore_index: int | None,
        classes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(paths)
        self.masks, self.ignore_index, self.classes = list(masks), ignore_index, classes

    def stamp(self, index: int) -> bytes:
        """See `Samples`."""
        return super().stamp(index) + stamp_of(self.masks[index])

    def labelled(self, tokens: TokenData, index: int) -> TokenData:
        """See `Samples`."""
        path = self.masks[index]
        mask = read_mask(path)
        try:
            return with_pixel_labels(tokens, mask, ignore_index=self.ignore_index)
        except (TypeError, ValueError) as error:
            raise UnreadableImageError(f"cannot use {path}: {error}") from error


def read_mask(path: str) -> np.ndarray:
    """The numbers in a file of a mask, palette or not.

    Raises:
        UnreadableImageError: It cannot be read.
    """
    try:
        if path.lower().endswith(".npy"):
            return np.load(path, allow_pickle=False)
        with Image.open(path) as image:
            if image.mode not in ("1", "L", "P", "I", "I;16"):
                raise ValueError(f"a mask must be of mode L or P, got mode {image.mode}")
            return np.array(image)
    except Exception as error:  # on broken bytes, decoders raise nearly anything
        raise UnreadableImageError(f"cannot read {path}: {error}") from error


def open_samples(source: Any, labels: Any, split: str | None, ignore_index: int | None) -> Samples:
    """Pictures with labels from where the user has them; see `SuperpixelGraphs`."""
    if isinstance(source, Samples):
        return source
    if isinstance(source, Pictures):
        return ClassSamples(source)
    place = file_path(source, "source")
    if labels == "classes":
        return ClassSamples(open_classes(place, split))
    if split is not None:
        raise ValueError(f"split goes with labels='classes', got {split!r}: name the folder itself")
    if not os.path.isdir(place):
        raise FileNotFoundError(f"expected a folder of pictures, there is none at {place}")
    stems = sorted(pictures_in(place))
    if not stems:
        raise ValueError(f"there are no pictures in {place}")
    paths = [os.path.join(place, name) for name in stems]
    if labels is None:
        return FileSamples(paths)
    return MaskSamples(paths, masks_of(paths, file_path(labels, "labels")), ignore_index)


def open_classes(place: str, split: str | None) -> Pictures:
    """Pictures of classes: of a split, or of a folder that is none."""
    if split is not None or place.lower().endswith(".npz"):
        return open_pictures(place, split or "train")
    from spitgraph.train.pictures.folders import FolderPictures

    if not os.path.isdir(place):
        raise FileNotFoundError(f"expected a folder of classes, there is none at {place}")
    return FolderPictures(place)


def masks_of(paths: Sequence[str], folder: str) -> list[str]:
    """The masks in a folder that are called as the pictures are."""
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"expected a folder of masks, there is none at {folder}")
    names = sorted(name for name in os.listdir(folder) if name.lower().endswith(MASK_ENDINGS))
    there = {Path(name).stem: os.path.join(folder, name) for name in names}
    missing = [path for path in paths if Path(path).stem not in there]
    if missing:
        raise FileNotFoundError(
            f"there is no mask in {folder} for {len(missing)} of {len(paths)} pictures, such as "
            f"{os.path.basename(missing[0])}"
        )
    return [there[Path(path).stem] for path in paths]
