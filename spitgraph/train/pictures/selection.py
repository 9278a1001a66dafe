"""Some of the pictures."""

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from spitgraph.train.draws import example_generator
from spitgraph.train.pictures.base import Pictures


class SomePictures(Pictures):
    """So many of other pictures, drawn by a seed, of every class about the same share.

    Args:
        pictures: Of which.
        count: How many, at least one a class.
        seed: What draws.
    """

    def __init__(self, pictures: Pictures, count: int, seed: int = 0) -> None:
        if count < len(pictures.classes):
            raise ValueError(f"{count} pictures are too few for {len(pictures.classes)} classes")
        self.pictures, self.classes = pictures, pictures.classes
        self.chosen = chosen(pictures.labels.numpy(), count, seed)
        self.labels = pictures.labels[torch.from_numpy(self.chosen)]

    def name(self, index: int) -> str:
        """See `Pictures`."""
        return self.pictures.name(int(self.chosen[index]))

    def stamp(self, index: int) -> bytes:
        """See `Pictures`."""
        return self.pictures.stamp(int(self.chosen[index]))

    def picture(self, index: int) -> UInt8[Tensor, "3 H W"]:
        """See `Pictures`."""
        return self.pictures.picture(int(self.chosen[index]))


def chosen(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Which pictures, in ascending order: by their rank in their class, as share of the class."""
    order = example_generator(seed, -1, -1).permutation(len(labels))
    drawn = order[np.argsort(labels[order], kind="stable")]  # class by class
    sizes = np.bincount(labels)
    rank = np.arange(len(labels)) - (sizes.cumsum() - sizes)[labels[drawn]]
    share = rank / sizes[labels[drawn]]  # 0 of the first of each class
    return np.sort(drawn[np.argsort(share, kind="stable")[:count]])
