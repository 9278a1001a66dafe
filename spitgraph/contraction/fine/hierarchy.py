"""An image to an exact count of fine regions, and what leads to them (METHOD 10.4, 10.5)."""

from collections.abc import Sequence

import torch
from jaxtyping import Int64
from torch import Tensor
from torch_geometric.nn.pool.select import SelectOutput

from spitgraph.colour import STEPS_PER_UNIT
from spitgraph.contraction.fine import rule
from spitgraph.contraction.fine.graph import FineGraph, coarsened, pixel_graph, pool, smoothed
from spitgraph.contraction.fine.nest import parent_maps
from spitgraph.contraction.fine.refine import refine
from spitgraph.contraction.fine.select import merge_round
from spitgraph.hierarchy import Hierarchy


def contract_fine(
    features_q: Sequence[Int64[Tensor, "C _"]],
    sizes: Sequence[tuple[int, int]],
    num_regions: int,
    *,
    lab: bool,
) -> Hierarchy:
    """The hierarchies of images to exactly `num_regions` fine regions each.

    Args:
        features_q: [C, H·W] per image, in the steps of `contraction.graph.quantise`.
        sizes: (H, W) per image.
        num_regions: K, at most the pixels of an image.
        lab: Whether the features are Lab, whose chroma counts less than its lightness.

    Raises:
        ValueError: A feature is too large.
    """
    maps, counts = [], []
    for steps, size in zip(features_q, sizes, strict=True):
        check_magnitude(steps)
        found = image_hierarchy(coarsened(steps), size, num_regions, lab)
        maps.append(found[0])
        counts.append(found[1])
    return Hierarchy.from_parents(maps, counts, device=features_q[0].device)


def check_magnitude(features_q: Int64[Tensor, "C HW"]) -> None:
    """Refuse features whose squares could not be added up exactly."""
    largest = float(features_q.abs().max()) / STEPS_PER_UNIT
    if largest > rule.LARGEST:
        raise ValueError(
            f"quality='fine' takes features within ±{rule.LARGEST:g}, got one of {largest:g}"
        )


def image_hierarchy(
    features_q: Int64[Tensor, "C HW"], size: tuple[int, int], num_regions: int, lab: bool
) -> tuple[list[Int64[Tensor, " _"]], list[int]]:
    """Parent maps of one image from the pixels on, and how many regions there are at each level."""
    height, width = size
    if num_regions >= height * width:
        return [], [height * width]
    kept = partitions(features_q, size, num_regions, *channel_weights(features_q, lab))
    return parent_maps(kept)


def channel_weights(
    features_q: Int64[Tensor, "C *S"], lab: bool
) -> tuple[Int64[Tensor, " C"], Int64[Tensor, " C"]]:
    """What each channel counts: where regions merge, and where pixels change sides."""
    both = rule.channel_weights(len(features_q), lab)
    merge, change = (torch.tensor(weights, device=features_q.device) for weights in both)
    return merge, change


def partitions(
    features_q: Int64[Tensor, "C HW"],
    size: tuple[int, int],
    num_regions: int,
    merge_weights: Int64[Tensor, " C"],
    refine_weights: Int64[Tensor, " C"],
) -> list[Int64[Tensor, "H W"]]:
    """Partitions on the way to `num_regions`, not yet nested: the last is the result.

    Kept are those after each round in which all regions merge, and after each refinement.
    """
    height, width = size
    pixels = pixel_graph(features_q, merge_weights, height, width)
    label = torch.arange(height * width, device=features_q.device)
    kept: list[Tensor] = []
    graph = pixels
    image = features_q.view(-1, height, width)
    smooth = smoothed(image)
    for halves, smooth_passes, passes in rule.SCHEDULE:
        target = halves * num_regions // 2
        while graph.num_regions > target:
            all_merge = height * width < rule.LEAST_MEAN_SIZE * graph.num_regions
            clusters = merge_round(graph, merge_weights, height * width, target)
            graph = pool(graph, clusters)
            label = clusters.cluster_index.index_select(0, label)
            if all_merge and graph.num_regions > target:
                kept.append(label.view(height, width))
        if graph.num_regions < height * width:
            refined = refine(label.view(height, width), smooth, refine_weights, smooth_passes)
            refined = refine(refined, image, refine_weights, passes)
            kept.append(refined)
            label = refined.flatten()
            graph = regions_of(pixels, label, graph.num_regions)
    return kept


def regions_of(pixels: FineGraph, label: Int64[Tensor, " HW"], num_regions: int) -> FineGraph:
    """What the regions of a partition are, counted anew from the pixels."""
    node = torch.arange(len(label), device=label.device)
    return pool(pixels, SelectOutput(node, len(label), label, num_regions))
