"""The loop over levels, by count of levels or to an exact count of regions (METHOD 2.6, 2.7)."""

from itertools import pairwise

from jaxtyping import Int64
from torch import Tensor

from spitgraph.contraction.connect import MergeEdges
from spitgraph.contraction.graph import RegionGraph
from spitgraph.contraction.reduce import BoxReduce, SumReduce
from spitgraph.contraction.select import StrongestEdgeSelect
from spitgraph.contraction.weights import edge_weights, self_loop_weights
from spitgraph.hierarchy import Hierarchy
from spitgraph.settings import Settings

select = StrongestEdgeSelect()
reduce_sum = SumReduce()
reduce_box = BoxReduce()
connect = MergeEdges()


def contract_once(
    graph: RegionGraph, settings: Settings, surplus: list[int] | None = None
) -> tuple[RegionGraph, Int64[Tensor, " n"]]:
    """One contraction step G(t) → G(t+1): the pooled graph, and the new region of every old one."""
    clusters = select(
        graph,
        edge_weights(graph, settings),
        self_loop_weights(graph, settings),
        surplus,
    )
    # regions are numbered by first pixel: the first of an image's old ones is in the first new one
    start = clusters.cluster_index.index_select(0, graph.start).tolist()
    edges = connect(clusters, graph.edge_index)
    pooled = RegionGraph(
        sums=reduce_sum(graph.sums, clusters),
        size=reduce_sum(graph.size, clusters),
        box=None if graph.box is None else reduce_box(graph.box, clusters),
        edge_index=edges.edge_index,
        counts=[end - first for first, end in pairwise([*start, clusters.num_clusters])],
        level=graph.level + 1,
    )
    return pooled, clusters.cluster_index


def contract_graph(graph: RegionGraph, settings: Settings) -> Hierarchy:
    """The hierarchy of a batch of graphs: their nodes, contracted level by level.

    Args:
        graph: Level 0 of a batch of images.
        settings: By count of levels, or to which exact count of regions; and how.

    Raises:
        ValueError: An image's graph has more than `num_tokens` connected parts, so that no
            contraction leads to that count.
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
        pooled, parent = contract_once(graph, settings, surplus)
        if surplus is not None:
            check_headway(graph.counts, pooled.counts, surplus)
        start = 0
        for image, part in enumerate(parent.split(graph.counts)):
            if active[image]:
                parents[image].append(part - start)
                counts[image].append(pooled.counts[image])
            start += pooled.counts[image]
        cluster = parent if cluster is None else parent.index_select(0, cluster)
        graph = pooled
    return Hierarchy.from_parents(parents, counts, cluster, graph.size.device)


def check_headway(before: list[int], after: list[int], surplus: list[int]) -> None:
    """Refuse an image that still has too many regions, and no edge left to contract."""
    for image, (old, new, excess) in enumerate(zip(before, after, surplus, strict=True)):
        if excess and new == old:
            raise ValueError(
                f"the graph of image {image} falls into {old} unconnected parts, which cannot be "
                f"contracted to {old - excess} regions"
            )
