"""Label maps made elsewhere, their borders moved to where the picture's are."""

from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from spitgraph import kernels
from spitgraph.checks import integer
from spitgraph.contraction.fine.graph import coarsened
from spitgraph.contraction.fine.hierarchy import channel_weights
from spitgraph.contraction.fine.refine import refine as refine_plain
from spitgraph.contraction.graph import quantise
from spitgraph.contraction.operator import fits
from spitgraph.data import TokenData, tokens_from_hierarchy
from spitgraph.grid import connected_parts
from spitgraph.hierarchy import Hierarchy
from spitgraph.images import ImagesLike, checked_images
from spitgraph.modes import exact_device
from spitgraph.pixels import comparison_features
from spitgraph.tokenizers.partition import label_maps


def refine(images: ImagesLike, partition: Any, *, passes: SupportsIndex = 8) -> TokenData:
    """Token graphs of label maps whose border pixels have changed sides for the better.

    Pixels on borders go over to a neighbouring region whose mean colour they fit better, as long as
    the region that they leave stays connected: the last step of `SuperpixelTokenizer` with
    `quality="fine"` (METHOD 10.4). As many regions are left as there were.

    Args:
        images: Anything `spitgraph.images.load_images` takes.
        partition: Label maps as for `from_partition`, here of connected regions.
        passes: How many times all borders are gone over, at most.

    Returns:
        `TokenData` for one image; for a batch or list, a PyG `Batch` of them. `seg` and `cluster`
        are the new label maps.

    Raises:
        ValueError: Labels and images differ in number or size, or a region is not connected.
        TypeError: Labels are not integers, or `passes` is no whole number.
    """
    rounds = integer(passes, "passes")
    checked, is_batch = checked_images(images)
    clusters, counts = label_maps(checked, partition, is_batch)
    labels = [c.view(image.shape[1:]) for c, image in zip(clusters, checked, strict=True)]
    for index, (label, count) in enumerate(zip(labels, counts, strict=True)):
        pieces = len(connected_parts(label).unique())
        if pieces != count:
            name = f"label map {index}" if is_batch else "label map"
            raise ValueError(f"{name} must have connected regions: its {count} are {pieces} pieces")
    new = refined([image.detach() for image in checked], labels, counts, rounds)
    hierarchy = Hierarchy.from_partition([label.flatten() for label in new], counts)
    return tokens_from_hierarchy(checked, hierarchy, is_batch=is_batch)


def refined(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    labels: Sequence[Int64[Tensor, "_H _W"]],
    counts: list[int],
    passes: int,
) -> list[Int64[Tensor, "_H _W"]]:
    """The same for images and regions 0 … n − 1 of each, by the body that serves."""
    device = exact_device(images[0].device)
    sizes = [(label.shape[0], label.shape[1]) for label in labels]
    fused = kernels.fused(device, "fine") and fits(sizes, device)
    if fused and device.type == "cuda":
        from spitgraph.contraction.fine.cuda.refine import refine_labels

        return refine_labels(images, labels, counts, passes)
    by = refine_fused if fused else refine_plain
    return [
        refined_image(by, image, label, passes) for image, label in zip(images, labels, strict=True)
    ]


def refined_image(
    by: Callable[..., Tensor],
    image: Shaped[Tensor, "3 H W"],
    label: Int64[Tensor, "H W"],
    passes: int,
) -> Int64[Tensor, "H W"]:
    """The same for one image, by `refine_plain` or `refine_fused`."""
    features = comparison_features(image, "lab")
    features_q = coarsened(quantise(features)).view(-1, *label.shape)
    _, weights = channel_weights(features_q, lab=True)
    device = features.device  # for those without float64, the CPU
    return by(label.to(device), features_q, weights, passes).to(label.device)


def refine_fused(
    label: Int64[Tensor, "H W"],
    features_q: Int64[Tensor, "C H W"],
    weights: Int64[Tensor, " C"],
    passes: int,
) -> Int64[Tensor, "H W"]:
    """`refine_plain`, compiled for the CPU."""
    from spitgraph.contraction.fine.cpu.batch import refine_labels

    label_map = refine_labels(label.numpy(), features_q.int().numpy(), weights.numpy(), passes)
    return torch.from_numpy(label_map)
