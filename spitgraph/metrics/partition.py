"""Quality of a partition (METHOD 9).

The definitions are those of Stutz, Hermans & Leibe (2018), arXiv 1612.01601. S runs over the
regions of the partition that is judged, g over those of the human segmentation, |·| counts pixels,
N = H·W. An image with several human segmentations scores the mean over them. What a label is called
never matters, and regions need not be connected.
"""

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor
from torch.nn.functional import max_pool2d

from spitgraph.checks import integer
from spitgraph.extensions import scatter_max
from spitgraph.images import ImageLike, load_image
from spitgraph.tensors import ordered_labels

# At run time `Any`, as in images.py: wrong input meets the errors below, under a type checker too.
if TYPE_CHECKING:
    LabelMap: TypeAlias = Shaped[Tensor, "H W"] | Shaped[np.ndarray, "H W"]
else:
    LabelMap = Any

_MAX_CELLS_PER_PIXEL = 16  # a larger table of overlaps than this is not worth its memory


def boundary_recall(labels: LabelMap, truth: LabelMap, radius: int | None = None) -> float:
    """Share of the true boundary pixels with a boundary pixel of the partition nearby.

        BR = |{p ∈ ∂g : some q ∈ ∂S with ‖p − q‖_∞ ≤ r}| / |∂g|

    A pixel is on a boundary when its right or its lower neighbour has another label.

    Args:
        labels: the partition, integer or bool [H, W].
        truth: the human segmentation, integer or bool [H, W].
        radius: r in pixels, at least 0; None for METHOD 9's round(0.0025 · image diagonal).

    Returns:
        Between 0 and 1, higher is better; 1 where `truth` has no boundary.

    Raises:
        TypeError: for what is no tensor or array of integers or bools.
        ValueError: for another shape, an empty map, maps of different sizes, or a negative radius.

    Source: Martin, Fowlkes & Malik (2004); Stutz, Hermans & Leibe (2018).
    """
    found, wanted = _checked_pair(labels, truth)
    if radius is None:
        radius = round(0.0025 * math.hypot(*found.shape))
    radius = integer(radius, "radius", minimum=0)
    true_boundary = _boundary(wanted)
    total = int(true_boundary.sum())
    recalled = int((true_boundary & _dilated(_boundary(found), radius)).sum())
    return recalled / total if total else 1.0


def undersegmentation_error(labels: LabelMap, truth: LabelMap) -> float:
    """Share of the image that leaks over true borders, the smaller part of each region counted.

        UE = Σ_S Σ_g min(|S ∩ g|, |S ∖ g|) / N

    Args:
        labels: the partition, integer or bool [H, W].
        truth: the human segmentation, integer or bool [H, W].

    Returns:
        Between 0 and 1, lower is better. A region counts with twice what lies outside its largest
        piece, and at most with all its pixels.

    Raises:
        TypeError: for what is no tensor or array of integers or bools.
        ValueError: for another shape, an empty map, or maps of different sizes.

    Source: Neubert & Protzel (2012); Stutz, Hermans & Leibe (2018).
    """
    owner, overlap, size = _overlaps(*_checked_pair(labels, truth))
    leaked = torch.minimum(overlap, size[owner] - overlap).sum()
    return int(leaked) / int(size.sum())


def achievable_segmentation_accuracy(labels: LabelMap, truth: LabelMap) -> float:
    """Pixel accuracy of the best segmentation that the regions allow.

        ASA = Σ_S max_g |S ∩ g| / N

    Args:
        labels: the partition, integer or bool [H, W].
        truth: the human segmentation, integer or bool [H, W].

    Returns:
        Above 0 and at most 1, higher is better.

    Raises:
        TypeError: for what is no tensor or array of integers or bools.
        ValueError: for another shape, an empty map, or maps of different sizes.

    Source: Liu, Tuzel, Ramalingam & Chellappa (2011); Stutz, Hermans & Leibe (2018).
    """
    owner, overlap, size = _overlaps(*_checked_pair(labels, truth))
    largest = scatter_max(overlap, owner, torch.zeros_like(size))
    return int(largest.sum()) / int(size.sum())


def explained_variation(labels: LabelMap, image: ImageLike) -> float:
    """Share of the image's colour variance that lies between regions.

        EV = Σ_S |S| ‖μ_S − μ‖² / Σ_p ‖x_p − μ‖²

    with x_p the RGB of pixel p, μ_S its mean over a region and μ over the image, in float64.

    Args:
        labels: the partition, integer or bool [H, W].
        image: what `load_image` takes: [3, H, W] or [1, H, W], float in [0, 1] or uint8, an array
            [H, W, 3], a PIL image or a path.

    Returns:
        Between 0 and 1, higher is better; 1 for an image of a single colour.

    Raises:
        TypeError: for what is no label map or no image.
        ValueError: for another shape, an empty map, values that no image has, or different sizes.

    Source: Moore et al. (2008); Stutz, Hermans & Leibe (2018).
    """
    partition, rgb = _checked(labels, "labels"), load_image(image)
    _check_same_size(partition, rgb, "image")
    regions, count = _numbered(partition)
    pixels = rgb.detach().to(partition.device, torch.float64).flatten(1)  # [3, N]
    # The variance does not depend on the origin: the first pixel's colour makes a flat image's an
    # exact 0, the mean keeps the sums below small. In place: the conversion made a copy.
    pixels -= pixels[:, :1].clone()
    pixels -= pixels.mean(1, keepdim=True)
    variation = float(pixels.square().sum())
    if variation == 0.0:
        return 1.0
    ids = regions.flatten()
    size = torch.bincount(ids, minlength=count).clamp(min=1)  # an unused number: 0 / 1
    sums = torch.stack([torch.bincount(ids, channel, count) for channel in pixels])  # [3, S]
    return min(1.0, float((sums.square() / size).sum()) / variation)


def compactness(labels: LabelMap) -> float:
    """How close the regions come to discs: isoperimetric quotients, weighted by size.

        CO = Σ_S |S| / N · 4π |S| / perimeter(S)²

    The perimeter is the number of pixel sides that border another region or the outside.

    Args:
        labels: the partition, integer or bool [H, W].

    Returns:
        Between 0 and π / 4, which squares reach.

    Raises:
        TypeError: for what is no tensor or array of integers or bools.
        ValueError: for another shape, or an empty map.

    Source: Schick, Fischer & Stiefelhagen (2012); Stutz, Hermans & Leibe (2018).
    """
    regions, count = _numbered(_checked(labels, "labels"))
    size = torch.bincount(regions.flatten(), minlength=count)
    # Each pixel has four sides; a pair of neighbours in one region hides two of them.
    hidden = torch.zeros_like(size)
    for a, b in ((regions[:, :-1], regions[:, 1:]), (regions[:-1], regions[1:])):
        hidden += 2 * torch.bincount(a[a == b], minlength=count)
    perimeter = (4 * size - hidden).clamp(min=1).double()  # an unused number: 0 / 1
    quotient = size / perimeter.square()
    return 4 * math.pi * float((size * quotient).sum()) / regions.numel()


def _checked(labels: Any, name: str) -> Int64[Tensor, "H W"]:
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


def _checked_pair(labels: Any, truth: Any) -> tuple[Int64[Tensor, "H W"], Int64[Tensor, "H W"]]:
    """Both label maps, on the device of the first."""
    first, second = _checked(labels, "labels"), _checked(truth, "truth")
    _check_same_size(first, second, "truth")
    return first, second.to(first.device)


def _check_same_size(
    labels: Shaped[Tensor, "H W"], other: Shaped[Tensor, "*C h w"], name: str
) -> None:
    if labels.shape != other.shape[-2:]:
        raise ValueError(
            f"expected labels and {name} of one size, got labels {list(labels.shape)} and "
            f"{name} {list(other.shape)}"
        )


def _numbered(labels: Int64[Tensor, "H W"]) -> tuple[Int64[Tensor, "H W"], int]:
    """Labels as numbers from 0 up, of which some may be unused, and how many there are."""
    low, high = (int(bound) for bound in labels.aminmax())
    if high - low < labels.numel():
        return labels - low, high - low + 1
    distinct, regions = torch.unique(labels, return_inverse=True)
    return regions, len(distinct)


def _overlaps(
    labels: Int64[Tensor, "H W"], truth: Int64[Tensor, "H W"]
) -> tuple[Int64[Tensor, " P"], Int64[Tensor, " P"], Int64[Tensor, " S"]]:
    """The non-empty S ∩ g: their S and their pixel counts; and |S|."""
    (regions, num_regions), (segments, num_segments) = _numbered(labels), _numbered(truth)
    cells = (regions * num_segments + segments).flatten()
    if num_regions * num_segments <= _MAX_CELLS_PER_PIXEL * cells.numel():
        table = torch.bincount(cells)
        cell = table.nonzero().flatten()
        overlap = table[cell]
    else:
        cell, overlap = torch.unique(cells, return_counts=True)
    size = torch.bincount(regions.flatten(), minlength=num_regions)
    return cell // num_segments, overlap, size


def _boundary(labels: Int64[Tensor, "H W"]) -> Bool[Tensor, "H W"]:
    """Pixels whose right or lower neighbour has another label."""
    boundary = torch.zeros_like(labels, dtype=torch.bool)
    boundary[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    boundary[:-1] |= labels[:-1] != labels[1:]
    return boundary


def _dilated(mask: Bool[Tensor, "H W"], radius: int) -> Bool[Tensor, "H W"]:
    """Pixels with one of the mask in the window of side 2r + 1 around them."""
    window = 2 * radius + 1
    grown = mask[None].float()  # [1, H, W]
    grown = max_pool2d(grown, (window, 1), stride=1, padding=(radius, 0))
    grown = max_pool2d(grown, (1, window), stride=1, padding=(0, radius))
    return grown[0] > 0
