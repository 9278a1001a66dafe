"""The loop over levels, by count of levels or to an exact count of regions (METHOD 2.6, 2.7)."""

from itertools import pairwise

import torch
from jaxtyping import Int64
from torch import Tensor
from torch_geometric.nn.pool.select import SelectOutput

from spitgraph.contraction.apart import are_apart, neighbours_apart
from spitgraph.contraction.connect import MergeEdges
from spitgraph.contraction.graph import RegionGraph
from spitgraph.contraction.reduce import BoxReduce, SumReduce
from spitgraph.contraction.select import StrongestEdgeSelect, number_by_first, tree_roots
from spitgraph.contraction.weights import edge_weights, self_loop_weights
from spitgraph.hierarchy import Hierarchy
from spitgraph.settings import Settings

select = StrongestEdgeSelect()
reduce_sum = SumReduce()
reduce_box = BoxReduce()
connect = MergeEdges()


def contract_once(
    graph: RegionGraph,
    settings: Settings,
    surplus: list[int] | None = None,
    apart: Int64[Tensor, "2 K"] | None = None,
) -> tuple[RegionGraph, Int64[Tensor, " n"]]:
    """One contraction step G(t) → G(t+1): the pooled graph, and the new region of every old one."""
    weight, self_weight = edge_weights(graph, settings), self_loop_weights(graph, settings)
    if apart is None:
        clusters = select(graph, weight, self_weight, surplus)
    else:
        weight = weight.masked_fill(are_apart(graph, apart), -torch.inf)
        neighbour = neighbours_apart(graph, weight, self_weight, surplus, apart)
        clusters = selected(*number_by_first(tree_roots(neighbour)))
    return pooled(graph, clusters), clusters.cluster_index


def selected(cluster: Int64[Tensor, " n"], count: int) -> SelectOutput:
    """Clusters in PyG's form."""
    node = torch.arange(len(cluster), device=cluster.device)
    return SelectOutput(node, len(cluster), cluster, count)


def pooled(graph: RegionGraph, clusters: SelectOutput) -> RegionGraph:
    """The graph of the next level, whose regions are clusters of those of the last."""
    # regions are numbered by first pixel: the first of an image's old ones is in the first new one
    start = clusters.cluster_index.index_select(0, graph.start).tolist()
    edges = connect(clusters, graph.edge_index)
    return RegionGraph(
        sums=reduce_sum(graph.sums, clusters),
        size=reduce_sum(graph.size, clusters),
        box=None if graph.box is None else reduce_box(graph.box, clusters),
        edge_index=edges.edge_index,
        counts=[end - first for first, end in pairwise([*start, clusters.num_clusters])],
        level=graph.level + 1,
    )


def contract_graph(
    graph: RegionGraph, settings: Settings, apart: Int64[Tensor, "2 K"] | None = None
) -> Hierarchy:
    """The hierarchy of a batch of graphs: their nodes, contracted level by level.

    Args:
        graph: Level 0 of a batch of images.
        settings: By count of levels, or to which exact count of regions; and how.
        apart: Pairs of nodes that never come into one region.

    Raises:
        ValueError: An image's graph has more than `num_tokens` connected parts, or pairs that stay
            apart, so that contraction does not lead to that count.
    """
    parents: list[list[Tensor]] = [[] for _ in graph.counts]
    counts = [[count] for count in graph.counts]
    cluster = None
    while True:
        surplus = None
        if settings.num_tokens is None:
            active = [len(p) < settings.levels for p in parents]
        else:
            surplus = [max(count - settings.num_tokens, 0) for count in graph.counts]
            active = [excess > 0 for excess in surplus]
        if not any(active):
            break
        after, parent = contract_once(graph, settings, surplus, apart)
        if surplus is not None:
            check_headway(graph.counts, after.counts, surplus, are_free=apart is None)
        if apart is not None:
            apart = parent[apart].unique(dim=1)
        start = 0
        for image, part in enumerate(parent.split(graph.counts)):
            if active[image]:
                parents[image].append(part - start)
                counts[image].append(after.counts[image])
            start += after.counts[image]
        cluster = parent if cluster is None else parent.index_select(0, cluster)
        graph = after
    return Hierarchy.from_parents(parents, counts, cluster, graph.size.device)


def check_headway(
    before: list[int], after: list[int], surplus: list[int], *, are_free: bool = True
) -> None:
    """Refuse an image that still has too many regions, and no edge left to contract."""
    for image, (old, new, excess) in enumerate(zip(before, after, surplus, strict=True)):
        if excess and new == old:
            if not are_free:
                raise ValueError(
                    f"the regions of image {image} cannot be contracted to {old - excess}: of "
                    f"{old} that are left, none touches another that cannot_link lets it merge with"
                )
            raise ValueError(
                f"the graph of image {image} falls into {old} unconnected parts, which cannot be "
                f"contracted to {old - excess} regions"
            )
