"""A caller's own similarity as the weight of edges (METHOD 2.1)."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from spitgraph.contraction.graph import EDGES_AT_A_TIME, RegionGraph
from spitgraph.modes import without_autocast
from spitgraph.tensors import plain

#: (u [E, C], v [E, C], size_u [E], size_v [E]) → weights [E].
OwnSimilarity = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
#: Weights are rounded to so many steps a unit, far more coarsely than float64: what differs in its
#: last bits alone, as between devices or lengths of a vector, is a tie, which edges decide by rank.
WEIGHT_STEPS = 2.0**40
#: Up to here, steps are whole numbers that float64 holds.
LARGEST_WEIGHT = 2.0**12


def own_weights(
    graph: RegionGraph,
    mean: Float64[Tensor, "C n"],
    size: Float64[Tensor, " n"],
    similarity: OwnSimilarity,
) -> Float64[Tensor, " E"]:
    """Weight of every edge, in whole steps, by a function of both ends.

    It is called for the edges of one image at a time, so that no other image can matter.

    Args:
        graph: The level.
        mean: Mean comparison features of its regions.
        size: Their pixels.
        similarity: See `Settings`.

    Raises:
        ValueError: Weights are not [E], or not in ±4096 (−∞ aside).
        TypeError: Weights are no floating-point tensor.
    """
    weights = []
    per_image = graph.image.index_select(0, graph.edge_index[0]).bincount(
        minlength=len(graph.counts)
    )
    for of_image in graph.edge_index.split(per_image.tolist(), dim=1):
        for u, v in of_image.split(EDGES_AT_A_TIME, dim=1):
            if not len(u):
                continue
            ends = [mean.index_select(1, end).t() for end in (u, v)]
            sizes = [size.index_select(0, end) for end in (u, v)]
            with torch.no_grad(), without_autocast(mean.device):
                result = similarity(*ends, *sizes)
            weights.append(checked_weights(result, len(u)).to(mean.device))
    return torch.cat([mean.new_empty(0), *weights])


def checked_weights(result: Any, count: int) -> Float64[Tensor, " E"]:
    """What a similarity returned, in whole steps, if it is a weight for every edge."""
    if not isinstance(result, Tensor) or not result.is_floating_point():
        came = result.dtype if isinstance(result, Tensor) else type(result).__name__
        raise TypeError(f"similarity must return a floating-point tensor, got {came}")
    if result.shape != (count,):
        raise ValueError(
            f"similarity must return a weight for each of {count} edges, got {list(result.shape)}"
        )
    weight = plain(result).double()
    usual = weight.abs() <= LARGEST_WEIGHT  # NaN is not
    if not bool((usual | (weight == -torch.inf)).all()):
        raise ValueError(
            f"similarity must return weights within ±{LARGEST_WEIGHT:g}, or −∞ for what never "
            f"merges, got values from {float(weight.min()):g} to {float(weight.max()):g}"
        )
    return (weight * WEIGHT_STEPS).round() / WEIGHT_STEPS
