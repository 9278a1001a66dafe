"""The fine rule from given regions on (METHOD 2.10): merges by its costs, and no pixel moves."""

import torch
from jaxtyping import Int64
from torch import Tensor
from torch_geometric.nn.pool.select import SelectOutput

from spitgraph.contraction.apart import are_apart, kept_apart
from spitgraph.contraction.fine import rule
from spitgraph.contraction.fine.graph import FineGraph, coarsened, pixel_graph, pool
from spitgraph.contraction.fine.hierarchy import channel_weights, check_magnitude, regions_of
from spitgraph.contraction.fine.select import choose, keep_cheapest, merge_costs
from spitgraph.contraction.graph import RegionGraph
from spitgraph.contraction.hierarchy import check_headway
from spitgraph.contraction.select import number_by_first, tree_roots
from spitgraph.hierarchy import composed


def contract_fine_from(
    features_q: Int64[Tensor, "C HW"],
    label: Int64[Tensor, "H W"],
    num_start: int,
    num_regions: int,
    apart: Int64[Tensor, "2 K"],
    *,
    lab: bool,
) -> tuple[list[Int64[Tensor, " _"]], list[int]]:
    """Parent maps of one image from given regions on, and how many regions each level has.

    Kept are the levels at which the whole rule would refine, and the last.

    Args:
        features_q: In the steps of `contraction.graph.quantise`, row by row.
        label: Regions 0 … n − 1, numbered by their first pixels.
        num_start: n.
        num_regions: K.
        apart: Pairs of regions that never come into one.
        lab: Whether the features are Lab.

    Raises:
        ValueError: A feature is too large, or contraction does not lead to so few regions.
    """
    check_magnitude(features_q)
    steps = coarsened(features_q)
    weights, _ = channel_weights(steps, lab)
    graph = regions_of(pixel_graph(steps, weights, *label.shape), label.flatten(), num_start)
    maps, counts = [], [num_start]
    for halves, _, _ in rule.SCHEDULE:
        target = halves * num_regions // 2
        rounds = []
        while graph.num_regions > target:
            clusters = merge_round_apart(graph, weights, label.numel(), target, apart)
            excess = graph.num_regions - target
            check_headway(
                [graph.num_regions], [clusters.num_clusters], [excess], are_free=not apart.numel()
            )
            rounds.append(clusters.cluster_index)
            graph = pool(graph, clusters)
            apart = clusters.cluster_index[apart]
        if rounds:
            maps.append(composed(rounds, counts[-1]))
            counts.append(graph.num_regions)
    return maps, counts


def merge_round_apart(
    graph: FineGraph,
    weights: Int64[Tensor, " C"],
    num_pixels: int,
    target: int,
    apart: Int64[Tensor, "2 K"],
) -> SelectOutput:
    """`merge_round` where pairs of regions stay apart."""
    n = graph.num_regions
    regions = RegionGraph(graph.sums, graph.size, None, graph.edge_index, counts=[n])
    cost = merge_costs(graph, weights)
    if apart.numel():
        cost = cost.masked_fill(are_apart(regions, apart), torch.inf)
    neighbour = choose(graph, cost, num_pixels, target)
    if apart.numel():
        neighbour = kept_apart(regions, -cost, neighbour, apart)
    neighbour = keep_cheapest(graph, cost, neighbour, n - target)
    cluster, count = number_by_first(tree_roots(neighbour))
    node = torch.arange(n, device=cluster.device)
    return SelectOutput(node, n, cluster, count)
