"""The plain operations one step at a time, as `naive` has them: to be compared with it.

Each function is the step of this name in `naive.py`, done by the tensors of a batch of one image.
"""

import torch
from torch import Tensor
from torch_geometric.nn.pool.select import SelectOutput

from spitgraph.contraction import weights
from spitgraph.contraction.connect import MergeEdges
from spitgraph.contraction.graph import RegionGraph
from spitgraph.contraction.naive import Box, Edge, Level
from spitgraph.contraction.reduce import BoxReduce, SumReduce
from spitgraph.contraction.select import (
    chosen_neighbours,
    edge_priority,
    number_by_first,
    strongest_of_each_image,
    tree_roots,
)
from spitgraph.settings import Settings


def edge_weights(level: Level, settings: Settings) -> list[float]:
    """See `naive.edge_weights`."""
    return weights.edge_weights(graph(level), settings).tolist()


def self_loop_weights(level: Level, settings: Settings) -> list[float]:
    """See `naive.self_loop_weights`."""
    return weights.self_loop_weights(graph(level), settings).tolist()


def choose(level: Level, settings: Settings, weight: list[float], loop: list[float]) -> list[int]:
    """See `naive.choose`."""
    surplus = None if settings.num_tokens is None else [len(level.size)]  # as many as there are
    return chosen_neighbours(graph(level), float64(weight), float64(loop), surplus).tolist()


def keep_strongest(
    level: Level, weight: list[float], neighbour: list[int], at_most: int
) -> list[int]:
    """See `naive.keep_strongest`."""
    u, v = graph(level).edge_index
    target = torch.tensor(neighbour)
    at_u, at_v = target[u] == v, target[v] == u
    keep = strongest_of_each_image(
        float64(weight),
        edge_priority(u, v),
        torch.zeros_like(u),
        at_u | at_v,
        torch.tensor([at_most]),
    )
    kept = torch.arange(len(neighbour))
    kept[u[at_u & keep]] = v[at_u & keep]
    kept[v[at_v & keep]] = u[at_v & keep]
    return kept.tolist()


def find_clusters(level: Level, neighbour: list[int]) -> list[int]:
    """See `naive.find_clusters`."""
    return number_by_first(tree_roots(torch.tensor(neighbour)))[0].tolist()


def pool(level: Level, cluster: list[int]) -> tuple[list[list[int]], list[int]]:
    """See `naive.pool`."""
    regions, clusters = graph(level), selected(cluster)
    sums, size = SumReduce()(regions.sums, clusters), SumReduce()(regions.size, clusters)
    return sums.t().tolist(), size.tolist()


def pool_boxes(level: Level, cluster: list[int]) -> list[Box]:
    """See `naive.pool_boxes`."""
    regions = graph(level)
    assert regions.box is not None
    return [tuple(box) for box in BoxReduce()(regions.box, selected(cluster)).t().tolist()]


def merge_edges(level: Level, cluster: list[int]) -> list[Edge]:
    """See `naive.merge_edges`."""
    u, v = MergeEdges()(selected(cluster), graph(level).edge_index).edge_index.tolist()
    return list(zip(u, v, strict=True))


def graph(level: Level) -> RegionGraph:
    """A level as tensors."""
    return RegionGraph(
        sums=torch.tensor(level.sums).t().contiguous(),
        size=torch.tensor(level.size),
        box=torch.tensor(level.box).t().contiguous(),
        edge_index=torch.tensor(level.edges, dtype=torch.int64).view(-1, 2).t().contiguous(),
        counts=[len(level.size)],
        level=level.number,
    )


def selected(cluster: list[int]) -> SelectOutput:
    """Clusters in PyG's form."""
    index = torch.tensor(cluster)
    return SelectOutput(torch.arange(len(cluster)), len(cluster), index, max(cluster) + 1)


def float64(values: list[float]) -> Tensor:
    """Weights as a tensor."""
    return torch.tensor(values, dtype=torch.float64)
