"""How strongly a region is drawn to each neighbour and to itself (METHOD 2.1–2.3).

All arithmetic is float64, one IEEE operation at a time in a fixed order, from exact integers: the
same bits on every device.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float64, Int64, Shaped
from torch import Tensor

from spitgraph.colour import STEPS_PER_UNIT
from spitgraph.contraction.graph import EDGES_AT_A_TIME, RegionGraph
from spitgraph.contraction.similarity import LARGEST_WEIGHT, own_weights
from spitgraph.extensions import scatter_sum
from spitgraph.settings import Settings

EdgeWeight = Float64[Tensor, " E"]
Similarity = Callable[
    [Float64[Tensor, "C n"], Float64[Tensor, " n"], Int64[Tensor, "2 E"]], EdgeWeight
]

#: Units of distances and merge costs: they bring those at which a large region should rather wait a
#: level into the reach of the self-loops.
DISTANCE_SCALE = 12.0
WARD_SCALE = 2.0


def cosine(
    mean: Float64[Tensor, "C n"], size: Float64[Tensor, " n"], edge_index: Int64[Tensor, "2 E"]
) -> EdgeWeight:
    """(1 + cos(μ_u, μ_v)) / 2, the authors' similarity; ½ where a mean is zero."""
    length = product_at_ends(square_root(sum_of_squares(mean)), edge_index)
    dot = product_at_ends(mean[0], edge_index)
    for channel in mean[1:]:
        dot += product_at_ends(channel, edge_index)
    cos = dot / length.masked_fill(length == 0, 1.0)  # where a mean is zero, so is the dot product
    return ((cos + 1) / 2).clamp(0, 1)


def ward(
    mean: Float64[Tensor, "C n"], size: Float64[Tensor, " n"], edge_index: Int64[Tensor, "2 E"]
) -> EdgeWeight:
    """1 / (1 + 2·cost), Ward's merge cost |u||v|/(|u|+|v|) · ‖μ_u − μ_v‖².

    The cost is the variance that the merge leaves unexplained (Ward 1963).
    """
    cost = pair_size(size, edge_index) * squared_distance(mean, edge_index)
    return 1 / (1 + WARD_SCALE * cost)


def distance(
    mean: Float64[Tensor, "C n"], size: Float64[Tensor, " n"], edge_index: Int64[Tensor, "2 E"]
) -> EdgeWeight:
    """1 / (1 + 12·‖μ_u − μ_v‖²): likeness alone; sizes count through the self-loops only."""
    return 1 / (1 + DISTANCE_SCALE * squared_distance(mean, edge_index))


#: How the box around two regions follows from theirs: x_min, y_min, x_max, y_max.
JOINT_BOX = (torch.minimum, torch.minimum, torch.maximum, torch.maximum)

#: Similarities by name.
SIMILARITIES: dict[str, Similarity] = {"distance": distance, "ward": ward, "cosine": cosine}


def pair_size(size: Float64[Tensor, " n"], edge_index: Int64[Tensor, "2 E"]) -> EdgeWeight:
    """|u||v| / (|u| + |v|): the sizes' harmonic mean, halved."""
    u, v = at_ends(size, edge_index)
    return (u * v) / (u + v)


def squared_distance(mean: Float64[Tensor, "C n"], edge_index: Int64[Tensor, "2 E"]) -> EdgeWeight:
    """‖μ_u − μ_v‖², channels added in order."""
    total = torch.zeros(edge_index.shape[1], dtype=mean.dtype, device=mean.device)
    for channel in mean:
        u, v = at_ends(channel, edge_index)
        difference = u - v
        total += difference * difference
    return total


def at_ends(
    value: Shaped[Tensor, " n"], edge_index: Int64[Tensor, "2 E"]
) -> tuple[Shaped[Tensor, " E"], Shaped[Tensor, " E"]]:
    """A value of the regions at both ends of every edge."""
    u, v = edge_index
    return value.index_select(0, u), value.index_select(0, v)


def product_at_ends(value: Float64[Tensor, " n"], edge_index: Int64[Tensor, "2 E"]) -> EdgeWeight:
    """Product of a value over both ends of every edge."""
    u, v = at_ends(value, edge_index)
    return u * v


def sum_of_squares(mean: Float64[Tensor, "C n"]) -> Float64[Tensor, " n"]:
    """‖μ‖², channels added in order."""
    total = mean[0] * mean[0]
    for channel in mean[1:]:
        total += channel * channel
    return total


def square_root(values: Float64[Tensor, " k"]) -> Float64[Tensor, " k"]:
    """√, rounded as IEEE 754 demands: PyTorch's own on the CPU may be off by the last bit."""
    if values.device.type != "cpu":
        return values.sqrt()
    return torch.from_numpy(np.sqrt(values.numpy()))


def edge_weights(graph: RegionGraph, settings: Settings) -> EdgeWeight:
    """Weight of every edge, in [0, 1] (METHOD 2.1, 2.3)."""
    compactness = settings.compactness
    size = graph.size.double()
    mean = graph.sums.double().div_(size).div_(STEPS_PER_UNIT)
    if not isinstance(settings.similarity, str):
        weights = own_weights(graph, mean, size, settings.similarity)
        if compactness == 0:
            return weights
        fill = joint_fill(graph, graph.edge_index)
        blend = compactness * fill + (1 - compactness) * weights.clamp(min=-LARGEST_WEIGHT)
        return torch.where(weights > -torch.inf, blend, -torch.inf)
    similarity = SIMILARITIES[settings.similarity]
    weights = mean.new_empty(graph.edge_index.shape[1])
    for edge_index, out in zip(
        graph.edge_index.split(EDGES_AT_A_TIME, dim=1), weights.split(EDGES_AT_A_TIME), strict=True
    ):
        weight = similarity(mean, size, edge_index)
        if compactness != 0:
            weight = compactness * joint_fill(graph, edge_index) + (1 - compactness) * weight
        out.copy_(weight)
    return weights


def self_loop_weights(graph: RegionGraph, settings: Settings) -> Float64[Tensor, " n"]:
    """Weight of every region's self-loop, −∞ where it has none (METHOD 2.2, 2.3).

    clip((|v| − m)/s, −¾, ¾) mapped to [0, 1], with m and s the mean and standard deviation of the
    region sizes of the region's own image. Pixels have none, nor have images of equal regions.
    """
    if graph.level == 0:
        return torch.tensor(-torch.inf, device=graph.size.device, dtype=torch.float64).expand(
            graph.num_regions
        )
    size = graph.size.double()
    counts = torch.tensor(graph.counts, dtype=torch.float64, device=size.device)
    # float64 holds these integer sums exactly, so that equal sizes give a deviation of exactly 0
    moments = torch.stack([graph.size, graph.size * graph.size])
    total, total_square = scatter_sum(moments, graph.image, len(graph.counts)).double()
    mean = total / counts
    deviation = square_root((total_square / counts - mean * mean).clamp(min=0))
    mean, deviation = graph.of_regions(mean), graph.of_regions(deviation)
    spread = deviation.masked_fill(deviation == 0, 1.0)  # where it is 0, there is no self-loop
    weight = (((size - mean) / spread).clamp(-0.75, 0.75) + 1) / 2
    if settings.compactness != 0:
        assert graph.box is not None
        squareness = box_fill(graph.size, graph.box)
        weight = settings.compactness * squareness + (1 - settings.compactness) * weight
    return torch.where((graph.size > 1) & (deviation > 0), weight, -torch.inf)


def joint_fill(graph: RegionGraph, edge_index: Int64[Tensor, "2 E"]) -> EdgeWeight:
    """δ of the two regions of every edge together (METHOD 2.3)."""
    assert graph.box is not None
    box = [
        combine(*at_ends(bound, edge_index))
        for combine, bound in zip(JOINT_BOX, graph.box, strict=True)
    ]
    return box_fill(torch.add(*at_ends(graph.size, edge_index)), torch.stack(box))


def box_fill(size: Int64[Tensor, " k"], box: Int64[Tensor, "4 k"]) -> Float64[Tensor, " k"]:
    """δ = min(1, 4·size / (width + height)²) of the box: 1 for a full square (METHOD 2.3)."""
    x_min, y_min, x_max, y_max = box
    half_perimeter = ((x_max - x_min) + (y_max - y_min)).double()
    return ((4 * size).double() / (half_perimeter * half_perimeter)).clamp(max=1)
