"""What a perfect classifier of tokens would reach."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor
from torch.nn.functional import pad

from spitgraph.checks import integer
from spitgraph.data import TokenData
from spitgraph.labels.maps import checked_ignored, flat_labels, majority


@dataclass(frozen=True, eq=False)
class OracleBound:
    """How well pixels are labelled if every token gets the class of most of its pixels.

    No labelling of these tokens reaches a higher pixel accuracy. Of intersection over union it is
    the value of that labelling: one that favours small classes may reach a little more.

    Bounds of several images add up to that of all of them: `sum(bounds)`.

    Attributes:
        confusion: [C, C] int64 on the CPU, pixels by their own class and that of their token.
    """

    confusion: Int64[Tensor, "C C"]

    @property
    def num_pixels(self) -> int:
        """Pixels that count."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of the pixels that are of their token's class; NaN if none count."""
        return int(self.confusion.trace()) / self.num_pixels if self.num_pixels else float("nan")

    @property
    def iou(self) -> Float64[Tensor, " C"]:
        """Intersection over union of each class, NaN where no pixel is of it."""
        both = self.confusion.diagonal().double()
        either = (self.confusion.sum(0) + self.confusion.sum(1)).double() - both
        return both / either

    @property
    def miou(self) -> float:
        """Its mean over the classes that there are."""
        return float(self.iou.nanmean())

    def __add__(self, other: "OracleBound | int") -> "OracleBound":
        if isinstance(other, int) and other == 0:  # where `sum` begins
            return self
        if not isinstance(other, OracleBound):
            return NotImplemented
        most = max(len(self.confusion), len(other.confusion))
        one, two = (
            pad(bound.confusion, (0, most - len(bound.confusion)) * 2) for bound in (self, other)
        )
        return OracleBound(one + two)

    __radd__ = __add__

    def __repr__(self) -> str:
        return (
            f"OracleBound(accuracy={self.accuracy:.4f}, miou={self.miou:.4f}, "
            f"classes={int((self.confusion.sum(1) > 0).sum())}, pixels={self.num_pixels})"
        )


def oracle_bound(
    tokens: TokenData,
    labels: Any,
    *,
    num_classes: int | None = None,
    ignore_index: int | None = 255,
) -> OracleBound:
    """What a perfect classifier of these tokens would reach in pixel accuracy and mIoU.

    Args:
        tokens: One image or a batch, with its pixel map.
        labels: Classes of the pixels, as for `with_pixel_labels`.
        num_classes: C; by default as many as occur.
        ignore_index: Pixels of this class do not count; None if all do.

    Raises:
        ValueError: Labels do not fit the images, are negative or not below C, or the nodes are no
            longer the tokens of the images.
        TypeError: Labels are not integers.
    """
    flat, ignored = flat_labels(tokens, labels), checked_ignored(ignore_index)
    given = majority(tokens, flat, ignored).label[tokens.cluster]
    counted = flat != ignored if ignored is not None else torch.ones_like(flat, dtype=torch.bool)
    truth, given = flat[counted], given[counted]
    low, high = (int(v) for v in truth.aminmax()) if truth.numel() else (0, -1)
    classes = high + 1 if num_classes is None else integer(num_classes, "num_classes")
    if low < 0 or high >= classes:
        raise ValueError(
            f"labels must be in 0 … {classes - 1}, got {low if low < 0 else high}: ignore_index "
            "says which do not count"
        )
    pairs = (truth * classes + given).bincount(minlength=classes * classes)
    return OracleBound(pairs.view(classes, classes).cpu())
