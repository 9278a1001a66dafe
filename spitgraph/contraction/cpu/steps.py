"""The Numba kernels one step at a time, as `naive` has them: to be compared with it.

Each function is the step of this name in `naive.py`, done by the kernels on a single chunk. At
level 0 they are those for pixels, which make no list of edges: that level is a grid.
"""

import numpy as np

from spitgraph.contraction.cpu import connect, distances, grid, reduce, select, trees, weights
from spitgraph.contraction.cpu.reduce import Totals
from spitgraph.contraction.naive import Box, Edge, Level
from spitgraph.settings import Settings


def edge_weights(level: Level, settings: Settings) -> list[float]:
    """See `naive.edge_weights`."""
    code, compactness = weights.CODES[settings.similarity_name], settings.compactness
    out = np.empty(len(level.edges))
    if level.number == 0:
        features_q = features_of(level)
        a, b = np.empty((2, len(features_q), 1))
        for i, (u, v) in enumerate(level.edges):
            grid.load_row(features_q, u, a)
            grid.load_row(features_q, v, b)
            weights.row_weights(code, compactness, a, b, 0, out[i : i + 1])
    else:
        _, size, box = totals_of(level)
        weights.edge_weights(code, compactness, *ends(level), means_of(level), size, box, out)
    return out.tolist()


def self_loop_weights(level: Level, settings: Settings) -> list[float]:
    """See `naive.self_loop_weights`."""
    _, size, box = totals_of(level)
    mean_size, deviation = moments_of(level)
    return [
        weights.self_loop_weight(v, size, box, mean_size, deviation, settings.compactness)
        if size[v] > 1 and deviation > 0
        else -np.inf
        for v in range(len(size))
    ]


def choose(level: Level, settings: Settings, weight: list[float], loop: list[float]) -> list[int]:
    """See `naive.choose`; the kernels weigh the edges themselves."""
    code, compactness, n = (
        weights.CODES[settings.similarity_name],
        settings.compactness,
        len(level.size),
    )
    if level.number == 0:
        height, width = shape(level)
        features_q, direction = features_of(level), np.empty(n, np.uint8)
        given = (features_q, 0, height, width, code, compactness, 0, n, direction)
        if are_like_lab(features_q) and distances.distances_serve(code, compactness):
            distances.choose_nearest(*given)
        else:
            grid.choose_directions(*given, np.empty(n))
        return [p + (grid.neighbour_offset(d, width) if d else 0) for p, d in enumerate(direction)]
    _, size, box = totals_of(level)
    best, nearest = np.full(n, weights.NO_EDGE), np.zeros(n, np.uint32)
    neighbour = np.empty(n, np.uint32)
    u, v = ends(level)
    leaving = np.empty(len(u), np.uint32)
    select.strongest_edges(
        0, n, code, compactness, u, v, means_of(level), size, box, best, nearest, leaving
    )
    moments = moments_of(level)
    merging = select.choose(0, n, compactness, moments, size, box, best, nearest, neighbour)
    if settings.num_tokens is not None and 2 * merging < n:
        select.choose_by_force(best, nearest, neighbour, n)
    return neighbour.tolist()


def keep_strongest(
    level: Level, weight: list[float], neighbour: list[int], at_most: int
) -> list[int]:
    """See `naive.keep_strongest`."""
    of_edge = dict(zip(level.edges, weight, strict=True))
    chosen = [of_edge.get((min(v, u), max(v, u)), 0.0) for v, u in enumerate(neighbour)]
    kept = np.array(neighbour, np.uint32)
    if select.count_chosen_edges(0, len(kept), kept) > at_most:
        select.keep_strongest(np.array(chosen), kept, at_most)
    return kept.tolist()


def find_clusters(level: Level, neighbour: list[int]) -> list[int]:
    """See `naive.find_clusters`."""
    n = len(neighbour)
    label = np.empty(n, np.uint32)
    if level.number == 0:
        _, width = shape(level)
        # the last of equal keys counts: in a single column, pixels lie above each other
        of = {0: 0, -1: grid.LEFT, 1: grid.RIGHT, -width: grid.UP, width: grid.DOWN}
        direction = np.array([of[u - p] for p, u in enumerate(neighbour)], np.uint8)
        tree_number = np.empty(n, np.uint32)
        trees.grow_trees(direction, width, label, tree_number)
        return tree_number[label].tolist()
    root = np.array(neighbour, np.uint32)
    select.find_roots(0, n, root, np.empty((2, n), np.uint32))
    select.number_by_first(0, n, root, label)
    return label.tolist()


def pool(level: Level, cluster: list[int]) -> tuple[list[list[int]], list[int]]:
    """See `naive.pool`."""
    sums, size, _ = pooled_totals(level, cluster)
    return sums.tolist(), size.tolist()


def pool_boxes(level: Level, cluster: list[int]) -> list[Box]:
    """See `naive.pool_boxes`."""
    _, _, box = pooled_totals(level, cluster)
    return [tuple(bounds) for bounds in box.tolist()]


def merge_edges(level: Level, cluster: list[int]) -> list[Edge]:
    """See `naive.merge_edges`; the kernels list some edges more than once, in any order."""
    label = np.array(cluster, np.uint32)
    if level.number == 0:
        n, (_, width) = len(cluster), shape(level)
        u, v = np.empty(2 * n, np.uint32), np.empty(2 * n, np.uint32)
        count = connect.connect_pixels(0, n, width, label, u, v)
    else:
        u, v = ends(level)
        count = connect.merge_edges(label, u, v, np.empty(connect.table_size(8), np.uint64))
    return sorted(set(zip(u[:count].tolist(), v[:count].tolist(), strict=True)))


# ---- a level as the kernels have it --------------------------------------------------------------


def shape(level: Level) -> tuple[int, int]:
    """Height and width of the grid at level 0."""
    return max(box[3] for box in level.box), max(box[2] for box in level.box)


def features_of(level: Level) -> np.ndarray:
    """[C, n] int32, of pixels."""
    return np.array(level.sums, np.int32).T.copy()


def are_like_lab(features_q: np.ndarray) -> bool:
    """Whether these are three features, of no more steps than those of Lab."""
    return len(features_q) == 3 and bool(
        (abs(features_q.astype(np.int64)) <= distances.MOST_STEPS).all()
    )


def totals_of(level: Level) -> Totals:
    """What the regions hold."""
    size, box = np.array(level.size, np.int32), np.array(level.box, np.int32)
    return Totals(np.array(level.sums), size, box)


def ends(level: Level) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the edges, [E] uint32 each."""
    u, v = np.array(level.edges, np.uint32).reshape(-1, 2).T.copy()
    return u, v


def means_of(level: Level) -> np.ndarray:
    """[n, C] float64."""
    sums, size, _ = totals_of(level)
    mean = np.empty(sums.shape)
    reduce.mean_features(0, len(size), sums, size, mean)
    return mean


def moments_of(level: Level) -> tuple[float, float]:
    """Mean and standard deviation of the sizes."""
    squares = reduce.sum_of_squares(np.array(level.size, np.int32))
    return weights.size_moments(sum(level.size), squares, len(level.size))


def pooled_totals(level: Level, cluster: list[int]) -> Totals:
    """What the regions of the next level hold."""
    n, count, label = len(cluster), max(cluster) + 1, np.array(cluster, np.uint32)
    pooled = Totals(
        np.empty((count, len(level.sums[0])), np.int64),
        np.empty(count, np.int32),
        np.empty((count, 4), np.int32),
    )
    reduce.clear(0, count, pooled)
    if level.number == 0:
        tree_number = np.arange(count, dtype=np.uint32)
        _, width = shape(level)
        reduce.pool_pixels(0, label, tree_number, features_of(level), 0, width, pooled)
    else:
        reduce.pool_regions(0, n, 0, label, totals_of(level), pooled, np.empty(n, np.uint32))
    return pooled
