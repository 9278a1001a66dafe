"""What it costs to merge two regions, and which pairs do (METHOD 10.2, 10.3)."""

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor
from torch_geometric.nn.pool.select import SelectOutput

from spitgraph.contraction.fine import rule
from spitgraph.contraction.fine.graph import FineGraph
from spitgraph.contraction.graph import RegionGraph
from spitgraph.contraction.select import (
    chosen_neighbours,
    edge_priority,
    number_by_first,
    strongest_of_each_image,
    tree_roots,
)
from spitgraph.contraction.weights import at_ends, square_root


def merge_costs(graph: FineGraph, weights: Int64[Tensor, " C"]) -> Float64[Tensor, " E"]:
    """Of every edge, what it costs to merge its ends."""
    edges, size, means = graph.edge_index, graph.size.double(), graph.means
    length, evidence = graph.border.double().t()
    a, b = at_ends(size, edges)
    s = a + b
    q = a * b / s
    d = torch.zeros_like(s)
    for w, mean in zip(weights.tolist(), means, strict=True):
        u, v = at_ends(mean, edges)
        d += float(w) * ((u - v) * (u - v))
    d += rule.DISTANCE_FLOOR
    per_side = evidence / length
    e = per_side * per_side + rule.EVIDENCE_FLOOR
    within = torch.add(*at_ends(variations(graph, weights), edges)) / s + rule.VARIANCE_FLOOR
    q3 = q * q * q
    shape = square_root(torch.minimum(a, b) / (length * length * length * within))
    return q3 * q3 * s * (d * d * d) * e * shape


def variations(graph: FineGraph, weights: Int64[Tensor, " C"]) -> Float64[Tensor, " n"]:
    """Σ over each region's pixels of their squared distance from the mean; not below 0."""
    total = torch.zeros_like(graph.size, dtype=torch.float64)
    for w, mean in zip(weights.tolist(), graph.means, strict=True):
        total += float(w) * (mean * mean)
    return (graph.squares.double() - total * graph.size.double()).clamp(min=0)


def cheapest(graph: FineGraph, cost: Float64[Tensor, " E"]) -> Int64[Tensor, " n"]:
    """The neighbour that each region is cheapest to merge with, itself if it has none."""
    regions = RegionGraph(
        graph.sums, graph.size, None, graph.edge_index, counts=[graph.num_regions]
    )
    never = torch.full((), -torch.inf, dtype=torch.float64, device=cost.device)
    return chosen_neighbours(regions, -cost, never.expand(graph.num_regions), None)


def choose(
    graph: FineGraph, cost: Float64[Tensor, " E"], num_pixels: int, target: int
) -> Int64[Tensor, " n"]:
    """The neighbour that each region merges with; itself where it waits."""
    neighbour = cheapest(graph, cost)
    if num_pixels < rule.LEAST_MEAN_SIZE * graph.num_regions:
        return neighbour
    region = torch.arange(graph.num_regions, device=cost.device)
    mutual = neighbour.index_select(0, neighbour) == region
    if graph.num_regions > rule.FEW * target:
        return torch.where(mutual, neighbour, region)
    at_u, at_v = chosen_by_ends(graph, neighbour)
    best = torch.full_like(graph.size, torch.inf, dtype=torch.float64)
    u, v = graph.edge_index
    best[u[at_u]], best[v[at_v]] = cost[at_u], cost[at_v]
    return torch.where(mutual & (best <= threshold(best)), neighbour, region)


def threshold(best: Float64[Tensor, " n"]) -> Float64[Tensor, ""]:
    """The cost that a share of the finite ones do not exceed: an order statistic."""
    of, out_of = rule.SHARE
    count = int((best < torch.inf).sum())
    return best.sort().values[max(-(-of * count // out_of) - 1, 0)]


def chosen_by_ends(
    graph: FineGraph, neighbour: Int64[Tensor, " n"]
) -> tuple[Bool[Tensor, " E"], Bool[Tensor, " E"]]:
    """Whether an edge is that to the neighbour of its smaller end; and of its larger."""
    u, v = graph.edge_index
    return neighbour[u] == v, neighbour[v] == u


def keep_cheapest(
    graph: FineGraph,
    cost: Float64[Tensor, " E"],
    neighbour: Int64[Tensor, " n"],
    at_most: int,
) -> Int64[Tensor, " n"]:
    """The neighbours, if only so many of the chosen edges are contracted."""
    u, v = graph.edge_index
    at_u, at_v = chosen_by_ends(graph, neighbour)
    keep = strongest_of_each_image(
        -cost,
        edge_priority(u, v),
        torch.zeros_like(u),
        at_u | at_v,
        torch.tensor([at_most], device=u.device),
    )
    kept = torch.arange(graph.num_regions, device=u.device)
    kept[u[at_u & keep]] = v[at_u & keep]
    kept[v[at_v & keep]] = u[at_v & keep]
    return kept


def merge_round(
    graph: FineGraph, weights: Int64[Tensor, " C"], num_pixels: int, target: int
) -> SelectOutput:
    """One round on the way to `target` regions: clusters of regions, numbered by first pixel."""
    cost = merge_costs(graph, weights)
    neighbour = choose(graph, cost, num_pixels, target)
    neighbour = keep_cheapest(graph, cost, neighbour, graph.num_regions - target)
    cluster, count = number_by_first(tree_roots(neighbour))
    return SelectOutput(
        torch.arange(graph.num_regions, device=cluster.device), graph.num_regions, cluster, count
    )
