"""Strongest edge of every region → clusters of regions (METHOD 2.4, 2.5, 2.7): a PyG `Select`."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor
from torch_geometric.nn.pool.select import Select, SelectOutput

from spitgraph.contraction.graph import EDGES_AT_A_TIME, RegionGraph
from spitgraph.extensions import scatter_max, scatter_min, scatter_sum

LOWEST = torch.iinfo(torch.int64).min


class StrongestEdgeSelect(Select):
    """Merge every region along its strongest edge, unless its self-loop is stronger.

    Ties are broken by a pseudo-random priority of the undirected edge, the same for both ends. So
    edges are strictly ordered, and the chosen ones form a forest.
    """

    def forward(
        self,
        graph: RegionGraph,
        weight: Float64[Tensor, " E"],
        self_weight: Float64[Tensor, " n"],
        surplus: list[int] | None = None,
    ) -> SelectOutput:
        """Clusters numbered in order of their first pixel.

        Args:
            graph: The level.
            weight: [E] weight of every edge.
            self_weight: [n] weight of every self-loop, −∞ for none.
            surplus: The most edges that may be applied in each image, strongest first; None for
                all. With it, self-loops stand aside in an image where fewer than half of the
                regions would merge, so that every level makes headway.
        """
        # what finds the neighbours is let go before their trees are followed
        cluster, num_clusters = number_by_first(
            tree_roots(chosen_neighbours(graph, weight, self_weight, surplus))
        )
        return SelectOutput(
            node_index=torch.arange(graph.num_regions, device=cluster.device),
            num_nodes=graph.num_regions,
            cluster_index=cluster,
            num_clusters=num_clusters,
        )


class StrongEdges(NamedTuple):
    """Edges as strong as the best of an end; several of a region where weights tie.

    Attributes:
        u: [k] int64, smaller end.
        v: [k] int64, larger end.
        at_u: [k] bool, whether it is u that chooses the edge.
        at_v: [k] bool, whether it is v.
        weight: [k] float64.
        priority: [k] int64, what decides between equal weights.
    """

    u: Int64[Tensor, " k"]
    v: Int64[Tensor, " k"]
    at_u: Bool[Tensor, " k"]
    at_v: Bool[Tensor, " k"]
    weight: Float64[Tensor, " k"]
    priority: Int64[Tensor, " k"]


def chosen_neighbours(
    graph: RegionGraph,
    weight: Float64[Tensor, " E"],
    self_weight: Float64[Tensor, " n"],
    surplus: list[int] | None,
) -> Int64[Tensor, " n"]:
    """The neighbour that each region merges with; itself where it waits."""
    best = wanted_weights(graph, weight, self_weight, by_force=surplus is not None)
    parts = list(strongest_edges(graph, weight, best))
    del best

    best_priority = torch.full((graph.num_regions,), LOWEST, device=weight.device)
    for edges in parts:
        for end, at_end in ((edges.u, edges.at_u), (edges.v, edges.at_v)):
            scatter_max(torch.where(at_end, edges.priority, LOWEST), end, best_priority)
    for edges in parts:
        for end, at_end in ((edges.u, edges.at_u), (edges.v, edges.at_v)):
            at_end &= edges.priority == best_priority.index_select(0, end)
    if surplus is not None:
        leave_strongest(graph, parts, surplus)

    neighbour = torch.arange(graph.num_regions, device=weight.device)
    for u, v, at_u, at_v, _, _ in parts:
        neighbour[u[at_u]] = v[at_u]
        neighbour[v[at_v]] = u[at_v]
    return neighbour


def wanted_weights(
    graph: RegionGraph,
    weight: Float64[Tensor, " E"],
    self_weight: Float64[Tensor, " n"],
    by_force: bool,
) -> Float64[Tensor, " n"]:
    """Weight of the strongest edge of every region that merges, ∞ of those that wait.

    By force, self-loops stand aside in an image where fewer than half of the regions would merge.
    """
    best = weight.new_full((graph.num_regions,), -torch.inf)
    for (u, v), w in zip(
        graph.edge_index.split(EDGES_AT_A_TIME, dim=1), weight.split(EDGES_AT_A_TIME), strict=True
    ):
        scatter_max(w, v, scatter_max(w, u, best))
    merges = (best >= self_weight) & (best > -torch.inf)  # the latter: has a neighbour
    if by_force:
        merges |= graph.of_regions(lagging_images(graph, merges)) & (best > -torch.inf)
    return best.masked_fill_(merges.logical_not_(), torch.inf)


def strongest_edges(
    graph: RegionGraph, weight: Float64[Tensor, " E"], best: Float64[Tensor, " n"]
) -> Iterator[StrongEdges]:
    """Edges as strong as the best of an end, by parts."""
    start = graph.of_regions(graph.start)
    for (u, v), w in zip(
        graph.edge_index.split(EDGES_AT_A_TIME, dim=1), weight.split(EDGES_AT_A_TIME), strict=True
    ):
        at_u = w == best.index_select(0, u)
        at_v = w == best.index_select(0, v)
        edge = (at_u | at_v).nonzero()[:, 0]
        u, v, at_u, at_v, w = (x.index_select(0, edge) for x in (u, v, at_u, at_v, w))
        first = start.index_select(0, u)
        yield StrongEdges(u, v, at_u, at_v, w, edge_priority(u - first, v - first))


def lagging_images(graph: RegionGraph, merges: Bool[Tensor, " n"]) -> Bool[Tensor, " B"]:
    """Images in which fewer than half of the regions would merge."""
    counts = torch.tensor(graph.counts, device=merges.device)
    return 2 * scatter_sum(merges.long(), graph.image, len(graph.counts)) < counts


def edge_priority(u: Int64[Tensor, " k"], v: Int64[Tensor, " k"]) -> Int64[Tensor, " k"]:
    """Pseudo-random priority of the edge {u, v}, u < v numbered within their image.

    The finaliser of splitmix64 (Steele, Lea, Flood 2014) on the pair packed into 64 bits. It is a
    bijection: two edges of an image never share a priority.
    """

    def shift(x: Tensor, bits: int) -> Tensor:  # logical, where >> on int64 is arithmetic
        return (x >> bits) & ((1 << (64 - bits)) - 1)

    x = (u << 32) | v
    x = (x ^ shift(x, 30)) * (0xBF58476D1CE4E5B9 - 2**64)
    x = (x ^ shift(x, 27)) * (0x94D049BB133111EB - 2**64)
    return x ^ shift(x, 31)


def leave_strongest(graph: RegionGraph, parts: list[StrongEdges], at_most: list[int]) -> None:
    """Let each image choose only as many of its chosen edges as it may, the strongest."""
    image = graph.image
    keep = strongest_of_each_image(
        torch.cat([edges.weight for edges in parts]),
        torch.cat([edges.priority for edges in parts]),
        torch.cat([image.index_select(0, edges.u) for edges in parts]),
        torch.cat([edges.at_u | edges.at_v for edges in parts]),
        torch.tensor(at_most, device=image.device),
    )
    for edges, kept in zip(parts, keep.split([len(edges.u) for edges in parts]), strict=True):
        edges.at_u.logical_and_(kept)
        edges.at_v.logical_and_(kept)


def strongest_of_each_image(
    weight: Float64[Tensor, " k"],
    priority: Int64[Tensor, " k"],
    image: Int64[Tensor, " k"],
    chosen: Bool[Tensor, " k"],
    at_most: Int64[Tensor, " B"],
) -> Bool[Tensor, " k"]:
    """Which chosen edges are among the `at_most` strongest of their image."""
    count = scatter_sum(chosen.long(), image, at_most.numel())
    if bool((count <= at_most).all()):
        return chosen
    edge = chosen.nonzero()[:, 0]
    # three stable sorts, last key first: by image, then weight, then priority
    edge = edge[priority[edge].argsort(descending=True, stable=True)]
    edge = edge[weight[edge].argsort(descending=True, stable=True)]
    edge = edge[image[edge].argsort(stable=True)]
    rank = torch.arange(edge.numel(), device=edge.device) - (count.cumsum(0) - count)[image[edge]]
    keep = torch.zeros_like(chosen)
    keep[edge] = rank < at_most[image[edge]]
    return keep


def tree_roots(parent: Int64[Tensor, " n"]) -> Int64[Tensor, " n"]:
    """Root of every node's tree, by pointer doubling.

    Of two nodes that point at each other the first is the root.
    O(log n) rounds. Only the CPU looks whether fewer were enough: elsewhere looking means waiting.
    """
    node = torch.arange(parent.numel(), device=parent.device)
    parent = torch.where((parent.index_select(0, parent) == node) & (node < parent), node, parent)
    grandparent = torch.empty_like(parent)
    for _ in range(parent.numel().bit_length()):
        torch.index_select(parent, 0, parent, out=grandparent)
        if parent.device.type == "cpu" and torch.equal(grandparent, parent):
            break
        parent, grandparent = grandparent, parent
    return parent


def number_by_first(root: Int64[Tensor, " n"]) -> tuple[Int64[Tensor, " n"], int]:
    """Consecutive numbers for the trees, in order of their first node; and how many there are."""
    node = torch.arange(root.numel(), device=root.device)
    first = scatter_min(node, root, torch.full_like(root, root.numel())).index_select(0, root)
    number = (first == node).cumsum(0).sub_(1)
    return number.index_select(0, first), int(number[-1]) + 1
