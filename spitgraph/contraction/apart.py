"""Regions that never come into one: cannot-link pairs in a step of contraction."""

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from spitgraph.contraction.graph import RegionGraph
from spitgraph.contraction.select import (
    chosen_neighbours,
    edge_priority,
    strongest_of_each_image,
    tree_roots,
)


def are_apart(graph: RegionGraph, apart: Int64[Tensor, "2 K"]) -> Bool[Tensor, " E"]:
    """Whether an edge joins two regions that stay apart."""
    n = graph.num_regions
    low, high = apart.aminmax(dim=0)
    return torch.isin(graph.edge_index[0] * n + graph.edge_index[1], low * n + high)


def neighbours_apart(
    graph: RegionGraph,
    weight: Float64[Tensor, " E"],
    self_weight: Float64[Tensor, " n"],
    surplus: list[int] | None,
    apart: Int64[Tensor, "2 K"],
) -> Int64[Tensor, " n"]:
    """The neighbour that each region merges with, as `chosen_neighbours`, where pairs stay apart.

    Edges between them are to weigh −∞. Chosen edges are contracted strongest first, and one that
    would bring a pair together is not. The strongest of all never does, so that a step makes
    headway while there is an edge to contract.
    """
    at_most = None if surplus is None else graph.counts  # self-loops stand aside, nothing is cut
    neighbour = chosen_neighbours(graph, weight, self_weight, at_most)
    neighbour = kept_apart(graph, weight, neighbour, apart)
    return neighbour if surplus is None else strongest(graph, weight, neighbour, surplus)


def kept_apart(
    graph: RegionGraph,
    weight: Float64[Tensor, " E"],
    neighbour: Int64[Tensor, " n"],
    apart: Int64[Tensor, "2 K"],
) -> Int64[Tensor, " n"]:
    """The neighbours without those edges that would bring a pair together."""
    root = tree_roots(neighbour)
    meet = root[apart[0]] == root[apart[1]]
    if not bool(meet.any()):
        return neighbour
    inside = torch.isin(root, root[apart[0][meet]])  # only these trees hold a pair
    at_u, at_v = chosen_by_ends(graph, neighbour)
    edge = ((at_u | at_v) & inside[graph.edge_index[0]]).nonzero()[:, 0]
    edge = edge[by_strength(graph, weight, edge)]
    u, v = graph.edge_index[:, edge]
    dropped = edge[refused(u.tolist(), v.tolist(), apart.t().tolist(), neighbour.device)]
    return without(graph, neighbour, dropped)


def refused(
    u: list[int], v: list[int], apart: list[list[int]], device: torch.device
) -> Bool[Tensor, " k"]:
    """Which edges are left out, if each is contracted in turn unless that brings a pair together.

    Kruskal's way: trees are joined, the smaller set of those that they stay apart from moves.
    """
    parent: dict[int, int] = {}
    others: dict[int, set[int]] = {}
    for a, b in apart:
        others.setdefault(a, set()).add(b)
        others.setdefault(b, set()).add(a)

    def root_of(node: int) -> int:
        while node in parent:
            node = parent[node]
        return node

    left_out = []
    for one, two in zip(u, v, strict=True):
        a, b = root_of(one), root_of(two)
        left_out.append(b in others.get(a, ()))
        if left_out[-1]:
            continue
        if len(others.get(a, ())) > len(others.get(b, ())):
            a, b = b, a
        parent[a] = b
        for other in others.pop(a, ()):
            others[other].remove(a)
            others[other].add(b)
            others.setdefault(b, set()).add(other)
    return torch.tensor(left_out, dtype=torch.bool, device=device)


def strongest(
    graph: RegionGraph,
    weight: Float64[Tensor, " E"],
    neighbour: Int64[Tensor, " n"],
    at_most: list[int],
) -> Int64[Tensor, " n"]:
    """The neighbours, if of the chosen edges of each image only so many are contracted."""
    u, v = graph.edge_index
    at_u, at_v = chosen_by_ends(graph, neighbour)
    chosen = at_u | at_v
    keep = strongest_of_each_image(
        weight,
        priority_of(graph, u, v),
        graph.image.index_select(0, u),
        chosen,
        torch.tensor(at_most, device=u.device),
    )
    return without(graph, neighbour, (chosen & ~keep).nonzero()[:, 0])


def by_strength(
    graph: RegionGraph, weight: Float64[Tensor, " E"], edge: Int64[Tensor, " k"]
) -> Int64[Tensor, " k"]:
    """The order of some edges, strongest first."""
    u, v = graph.edge_index[:, edge]
    order = priority_of(graph, u, v).argsort(descending=True, stable=True)
    return order[weight[edge][order].argsort(descending=True, stable=True)]


def priority_of(
    graph: RegionGraph, u: Int64[Tensor, " k"], v: Int64[Tensor, " k"]
) -> Int64[Tensor, " k"]:
    """What decides between edges of equal weight; see `edge_priority`."""
    first = graph.of_regions(graph.start).index_select(0, u)
    return edge_priority(u - first, v - first)


def chosen_by_ends(
    graph: RegionGraph, neighbour: Int64[Tensor, " n"]
) -> tuple[Bool[Tensor, " E"], Bool[Tensor, " E"]]:
    """Whether an edge is that to the neighbour of its smaller end; and of its larger."""
    u, v = graph.edge_index
    return neighbour[u] == v, neighbour[v] == u


def without(
    graph: RegionGraph, neighbour: Int64[Tensor, " n"], edge: Int64[Tensor, " k"]
) -> Int64[Tensor, " n"]:
    """The neighbours, regions that chose one of some edges waiting."""
    neighbour = neighbour.clone()
    u, v = graph.edge_index[:, edge]
    u_chose, v_chose = u[neighbour[u] == v], v[neighbour[v] == u]
    neighbour[u_chose], neighbour[v_chose] = u_chose, v_chose
    return neighbour
