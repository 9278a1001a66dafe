"""Quality of a partition (METHOD 9).

The definitions are those of Stutz, Hermans & Leibe (2018), arXiv 1612.01601. S runs over the
regions of the partition that is judged, g over those of the human segmentation, |·| counts pixels,
N = H·W. An image with several human segmentations scores the mean over them. What a label is called
never matters, and regions need not be connected.
"""

import math

import torch

from spitgraph.checks import integer
from spitgraph.extensions import scatter_max
from spitgraph.images import ImageLike, load_image
from spitgraph.metrics.label_maps import (
    LabelMap,
    boundary,
    check_same_size,
    checked,
    checked_pair,
    dilated,
    numbered,
    overlaps,
    perimeters,
)


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
    found, wanted = checked_pair(labels, truth)
    if radius is None:
        radius = round(0.0025 * math.hypot(*found.shape))
    radius = integer(radius, "radius", minimum=0)
    true_boundary = boundary(wanted)
    total = int(true_boundary.sum())
    recalled = int((true_boundary & dilated(boundary(found), radius)).sum())
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
    part = overlaps(*checked_pair(labels, truth))
    leaked = torch.minimum(part.overlap, part.size[part.region] - part.overlap).sum()
    return int(leaked) / int(part.size.sum())


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
    part = overlaps(*checked_pair(labels, truth))
    largest = scatter_max(part.overlap, part.region, torch.zeros_like(part.size))
    return int(largest.sum()) / int(part.size.sum())


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
    partition, rgb = checked(labels, "labels"), load_image(image)
    check_same_size(partition, rgb, "image")
    regions, count = numbered(partition)
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
    regions, count = numbered(checked(labels, "labels"))
    size = torch.bincount(regions.flatten(), minlength=count)
    perimeter = perimeters(regions, size).clamp(min=1).double()  # an unused number: 0 / 1
    quotient = size / perimeter.square()
    return 4 * math.pi * float((size * quotient).sum()) / regions.numel()
