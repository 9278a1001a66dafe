"""The loop over levels, by count of levels or to an exact count of regions (METHOD 2.6, 2.7)."""

from itertools import pairwise

from jaxtyping import Int64
from torch import Tensor

from spitgraph.contraction.connect import MergeEdges
from spitgraph.contraction.graph import RegionGraph
from spitgraph.contraction.reduce import BoxReduce, SumReduce
from spitgraph.contraction.select import StrongestEdgeSelect
from spitgraph.contraction.weights import SIMILARITIES, edge_weights, self_loop_weights

select = StrongestEdgeSelect()
reduce_sum = SumReduce()
reduce_box = BoxReduce()
connect = MergeEdges()

Parents = list[Tensor]


def contract_once(
    graph: RegionGraph,
    *,
    similarity: str,
    compactness: float,
    surplus: list[int] | None = None,
) -> tuple[RegionGraph, Int64[Tensor, " n"]]:
    """One contraction step G(t) → G(t+1): the pooled graph, and the new region of every old one."""
    clusters = select(
        graph,
        edge_weights(graph, SIMILARITIES[similarity], compactness),
        self_loop_weights(graph, compactness),
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


def contract(
    graph: RegionGraph,
    *,
    levels: int = 4,
    num_regions: int | None = None,
    similarity: str = "distance",
    compactness: float = 0.0,
) -> list[Parents]:
    """The hierarchy of every image, as the parent of each region at each level.

    Args:
        graph: Level 0 of a batch of images.
        levels: Contraction steps T, if no count is asked for.
        num_regions: Exact count K of regions at which each image stops.
        similarity: Name of the edge weight.
        compactness: λ in [0, 1].

    Returns:
        For every image, its list of [n_t] int64 tensors, region of level t → region of level t+1,
        numbered within the image.

    Raises:
        ValueError: An image's graph has more than `num_regions` connected parts, so that no
            contraction leads to that count.
    """
    parents: list[Parents] = [[] for _ in graph.counts]
    while True:
        if num_regions is None:
            surplus = None
            active = [len(p) < levels for p in parents]
        else:
            surplus = [max(count - num_regions, 0) for count in graph.counts]
            active = [excess > 0 for excess in surplus]
        if not any(active):
            return parents
        pooled, parent = contract_once(
            graph, similarity=similarity, compactness=compactness, surplus=surplus
        )
        if surplus is not None:
            check_headway(graph.counts, pooled.counts, surplus)
        start = 0
        for image, part in enumerate(parent.split(graph.counts)):
            if active[image]:
                parents[image].append(part - start)
            start += pooled.counts[image]
        graph = pooled


def check_headway(before: list[int], after: list[int], surplus: list[int]) -> None:
    """Refuse an image that still has too many regions, and no edge left to contract."""
    for image, (old, new, excess) in enumerate(zip(before, after, surplus, strict=True)):
        if excess and new == old:
            raise ValueError(
                f"the graph of image {image} falls into {old} unconnected parts, which cannot be "
                f"contracted to {old - excess} regions"
            )
