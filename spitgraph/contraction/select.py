"""Strongest edge of every region → clusters of regions (METHOD 2.4, 2.5, 2.7): a PyG `Select`."""

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
        u, v = graph.edge_index
        n = graph.num_regions
        best = torch.full((n,), -torch.inf, dtype=weight.dtype, device=weight.device)
        best = scatter_max(weight, v, scatter_max(weight, u, best))
        merges = (best >= self_weight) & (best > -torch.inf)  # the latter: has a neighbour
        if surplus is not None:
            lagging = lagging_images(graph, merges).index_select(0, graph.image)
            merges |= lagging & (best > -torch.inf)
        best.masked_fill_(~merges, torch.inf)

        # the strongest edges of each region, several where weights tie
        u, v, at_u, at_v, weight, priority = strongest_edges(graph, weight, best)
        best_priority = torch.full_like(graph.size, LOWEST)
        for end, at_end in ((u, at_u), (v, at_v)):
            scatter_max(torch.where(at_end, priority, LOWEST), end, best_priority)
        at_u &= priority == best_priority.index_select(0, u)
        at_v &= priority == best_priority.index_select(0, v)
        if surplus is not None:
            at_most = torch.tensor(surplus, device=u.device)
            keep = strongest_of_each_image(
                weight, priority, graph.image.index_select(0, u), at_u | at_v, at_most
            )
            at_u &= keep
            at_v &= keep

        parent = torch.arange(n, device=u.device)
        parent[u[at_u]] = v[at_u]
        parent[v[at_v]] = u[at_v]
        cluster, num_clusters = number_by_first(tree_roots(parent))
        return SelectOutput(
            node_index=torch.arange(n, device=u.device),
            num_nodes=n,
            cluster_index=cluster,
            num_clusters=num_clusters,
        )


def strongest_edges(
    graph: RegionGraph, weight: Float64[Tensor, " E"], best: Float64[Tensor, " n"]
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Edges as strong as the best of an end: u, v, whether of u, whether of v, weight, priority."""
    start = graph.start
    strongest = []
    for (u, v), w in zip(
        graph.edge_index.split(EDGES_AT_A_TIME, dim=1), weight.split(EDGES_AT_A_TIME), strict=True
    ):
        at_u = w == best.index_select(0, u)
        at_v = w == best.index_select(0, v)
        edge = (at_u | at_v).nonzero()[:, 0]
        u, v, at_u, at_v, w = (x.index_select(0, edge) for x in (u, v, at_u, at_v, w))
        first = start.index_select(0, graph.image.index_select(0, u))
        strongest.append((u, v, at_u, at_v, w, edge_priority(u - first, v - first)))
    u, v, at_u, at_v, w, priority = (torch.cat(parts) for parts in zip(*strongest, strict=True))
    return u, v, at_u, at_v, w, priority


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
