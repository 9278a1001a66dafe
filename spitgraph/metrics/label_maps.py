"""Label maps as metrics read them: checked, numbered, laid over each other."""

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor
from torch.nn.functional import max_pool2d

from spitgraph.tensors import ordered_labels

# At run time `Any`, as in images.py: wrong input meets the errors below, under a type checker too.
if TYPE_CHECKING:
    LabelMap: TypeAlias = Shaped[Tensor, "H W"] | Shaped[np.ndarray, "H W"]
else:
    LabelMap = Any

#: A larger table of overlaps than this is not worth its memory.
MAX_CELLS_PER_PIXEL = 16


def checked(labels: Any, name: str) -> Int64[Tensor, "H W"]:
    """A label map as int64, once its type and shape are known to be right."""
    ordered = ordered_labels(labels)
    if ordered is None:
        kind = getattr(labels, "dtype", type(labels).__name__)
        raise TypeError(f"expected {name} as a tensor or array of integers or bools, got {kind}")
    if ordered.ndim != 2 or ordered.numel() == 0:
        raise ValueError(
            f"expected {name} [H, W] of at least one pixel, got {list(ordered.shape)} "
            "(the map of a TokenData is its seg[0])"
        )
    return ordered


def checked_pair(labels: Any, truth: Any) -> tuple[Int64[Tensor, "H W"], Int64[Tensor, "H W"]]:
    """Both label maps, on the device of the first."""
    first, second = checked(labels, "labels"), checked(truth, "truth")
    check_same_size(first, second, "truth")
    return first, second.to(first.device)


def check_same_size(
    labels: Shaped[Tensor, "H W"], other: Shaped[Tensor, "*C h w"], name: str
) -> None:
    """Refuse what is not as high and as wide."""
    if labels.shape != other.shape[-2:]:
        raise ValueError(
            f"expected labels and {name} of one size, got labels {list(labels.shape)} and "
            f"{name} {list(other.shape)}"
        )


def numbered(labels: Int64[Tensor, "H W"]) -> tuple[Int64[Tensor, "H W"], int]:
    """Labels as numbers from 0 up, of which some may be unused, and how many there are."""
    low, high = (int(bound) for bound in labels.aminmax())
    if high - low < labels.numel():
        return labels - low, high - low + 1
    distinct, regions = torch.unique(labels, return_inverse=True)
    return regions, len(distinct)


class Overlaps(NamedTuple):
    """The non-empty S ∩ g of two partitions.

    Attributes:
        region: their S.
        other: their g.
        overlap: their pixels, |S ∩ g|.
        size: |S|.
        other_size: |g|.
    """

    region: Int64[Tensor, " P"]
    other: Int64[Tensor, " P"]
    overlap: Int64[Tensor, " P"]
    size: Int64[Tensor, " S"]
    other_size: Int64[Tensor, " G"]


def overlaps(labels: Int64[Tensor, "H W"], truth: Int64[Tensor, "H W"]) -> Overlaps:
    """Where regions of one partition meet those of the other, and in how many pixels."""
    (regions, num_regions), (segments, num_segments) = numbered(labels), numbered(truth)
    cells = (regions * num_segments + segments).flatten()
    if num_regions * num_segments <= MAX_CELLS_PER_PIXEL * cells.numel():
        table = torch.bincount(cells)
        cell = table.nonzero().flatten()
        overlap = table[cell]
    else:
        cell, overlap = torch.unique(cells, return_counts=True)
    size = torch.bincount(regions.flatten(), minlength=num_regions)
    other_size = torch.bincount(segments.flatten(), minlength=num_segments)
    return Overlaps(cell // num_segments, cell % num_segments, overlap, size, other_size)


def boundary(labels: Int64[Tensor, "H W"]) -> Bool[Tensor, "H W"]:
    """Pixels whose right or lower neighbour has another label."""
    boundary = torch.zeros_like(labels, dtype=torch.bool)
    boundary[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    boundary[:-1] |= labels[:-1] != labels[1:]
    return boundary


def dilated(mask: Bool[Tensor, "H W"], radius: int) -> Bool[Tensor, "H W"]:
    """Pixels with one of the mask in the window of side 2r + 1 around them."""
    window = 2 * radius + 1
    grown = mask[None].float()  # [1, H, W]
    grown = max_pool2d(grown, (window, 1), stride=1, padding=(radius, 0))
    grown = max_pool2d(grown, (1, window), stride=1, padding=(0, radius))
    return grown[0] > 0


def perimeters(regions: Int64[Tensor, "H W"], size: Int64[Tensor, " S"]) -> Int64[Tensor, " S"]:
    """Of each region, the pixel sides that border another region or the outside."""
    # Each pixel has four sides; a pair of neighbours in one region hides two of them.
    hidden = torch.zeros_like(size)
    for a, b in ((regions[:, :-1], regions[:, 1:]), (regions[:-1], regions[1:])):
        hidden += 2 * torch.bincount(a[a == b], minlength=len(size))
    return 4 * size - hidden
