"""Strongest edge of every region → clusters of regions (METHOD 2.4, 2.5, 2.7).

`neighbour` says which region each is merged with, itself if it is not. These pointers form trees,
whose roots are pairs that point at each other; pointer doubling finds them. Written without
branches where a processor could not foresee them.

Regions come in chunks [begin, end). What leaves a chunk is listed, and put right by one thread.
Loops over them count in unsigned numbers: with others, each index might be one from the end.
"""

import numpy as np

from spitgraph.contraction.cpu.trees import unite
from spitgraph.contraction.cpu.weights import (
    NO_EDGE,
    edge_priority,
    edge_weights,
    self_loop_weight,
)
from spitgraph.kernels.cpu.jit import kernel, part

#: Edges weighed at a time.
BLOCK = 1024
_NONE = np.uint32(2**32 - 1)
#: The lowest int64, whose only bit is that of the sign.
LOWEST, _SHIFT = np.int64(-(2**63)), np.uint64(1)


@kernel
def strongest_edges(
    begin: int,
    end: int,
    code: int,
    compactness: float,
    u: np.ndarray,
    v: np.ndarray,
    mean: np.ndarray,
    size: np.ndarray,
    box: np.ndarray,
    best: np.ndarray,
    nearest: np.ndarray,
    leaving: np.ndarray,
) -> int:
    """Raise `best` and `nearest` of the regions in [begin, end) to their strongest edge.

    Args:
        begin: First region.
        end: Behind the last.
        code: Of the similarity.
        compactness: λ.
        u: [E] uint32, one end of each edge.
        v: [E] uint32, the other.
        mean: [n, C] float64, features; see `weights.edge_weights`.
        size: [n] int32.
        box: [n, 4] int32.
        best: [n] float64, weight of the strongest edge so far, at first `NO_EDGE`; raised.
        nearest: [n] uint32, its other end.
        leaving: [≥ such edges] uint32, written: indices of edges with an end elsewhere.

    Returns:
        How many edges have an end elsewhere.
    """
    weight = np.empty(BLOCK)
    inner_u, inner_v = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.uint32)
    left = 0
    for start in range(0, len(u), BLOCK):
        ends_u, ends_v = u[start : start + BLOCK], v[start : start + BLOCK]
        if not (all_lie_in(ends_u, begin, end) and all_lie_in(ends_v, begin, end)):
            inner = 0
            for i in range(len(ends_u)):
                a, b = ends_u[i], ends_v[i]
                if min(a, b) < begin or max(a, b) >= end:
                    leaving[left] = start + i
                    left += 1
                else:
                    inner_u[inner], inner_v[inner] = a, b
                    inner += 1
            ends_u, ends_v = inner_u[:inner], inner_v[:inner]
        weights = weight[: len(ends_u)]
        edge_weights(code, compactness, ends_u, ends_v, mean, size, box, weights)
        raise_to_strongest(ends_u, ends_v, weights, best, nearest)
    return left


@kernel
def all_lie_in(ends: np.ndarray, begin: int, end: int) -> bool:
    """Whether the regions [k] uint32 are in [begin, end)."""
    first, beyond = np.uint32(begin), np.uint32(end)
    outside = np.uint8(0)
    for i in range(len(ends)):
        outside = np.uint8(outside | np.uint8((ends[i] < first) | (ends[i] >= beyond)))
    return outside == 0


@kernel
def raise_to_strongest(
    u: np.ndarray, v: np.ndarray, weight: np.ndarray, best: np.ndarray, nearest: np.ndarray
) -> None:
    """Raise `best` and `nearest` of the ends of some edges; see `strongest_edges`.

    Args:
        u: [k] uint32, one end of each edge.
        v: [k] uint32, the other.
        weight: [k] float64.
        best: [n] float64, raised.
        nearest: [n] uint32, changed with it.
    """
    for i in range(len(weight)):
        a, b, w = u[i], v[i], weight[i]
        best_a, best_b = best[a], best[b]
        nearest_a, nearest_b = nearest[a], nearest[b]
        # equals are rare, but for the same edge listed twice
        if ((w == best_a) & (nearest_a != b)) | ((w == best_b) & (nearest_b != a)):
            priority = edge_priority(a, b)
            if w > best_a or (w == best_a and priority > edge_priority(a, nearest_a)):
                nearest[a] = b
            if w > best_b or (w == best_b and priority > edge_priority(b, nearest_b)):
                nearest[b] = a
        else:  # all was read before, so that no branch is needed
            nearest[a] = b if w > best_a else nearest_a
            nearest[b] = a if w > best_b else nearest_b
        best[a] = max(w, best_a)
        best[b] = max(w, best_b)


@kernel
def choose(
    begin: int,
    end: int,
    compactness: float,
    moments: tuple[float, float],
    size: np.ndarray,
    box: np.ndarray,
    best: np.ndarray,
    nearest: np.ndarray,
    neighbour: np.ndarray,
) -> int:
    """Merge each region with the nearest, unless its self-loop is stronger; how many merge.

    Args:
        begin: First region.
        end: Behind the last.
        compactness: λ.
        moments: Mean and standard deviation of the sizes.
        size: [n] int32.
        box: [n, 4] int32, read if λ is not 0.
        best: [n] float64, weight of each region's strongest edge.
        nearest: [n] uint32, its other end.
        neighbour: [n] uint32, written: the region that each merges with, itself if it does not.
    """
    mean_size, deviation = moments
    merging = 0
    for v in range(np.uint32(begin), np.uint32(end)):
        merges = best[v] != NO_EDGE
        if size[v] > 1 and deviation > 0:
            merges &= best[v] >= self_loop_weight(v, size, box, mean_size, deviation, compactness)
        neighbour[v] = nearest[v] if merges else v
        merging += merges
    return merging


@kernel
def choose_by_force(
    best: np.ndarray, nearest: np.ndarray, neighbour: np.ndarray, count: int
) -> None:
    """Merge each region with the nearest: self-loops stand aside."""
    for v in range(count):
        if best[v] != NO_EDGE:
            neighbour[v] = nearest[v]


@part
def stands_for_edge(neighbour: np.ndarray, v: int) -> bool:
    """Whether v chose an edge, and not one that counts at its other end, which chose it too."""
    u = neighbour[v]
    return (u != v) & ((v < u) | (neighbour[u] != v))  # whether is hard to guess


@kernel
def count_chosen_edges(begin: int, end: int, neighbour: np.ndarray) -> int:
    """Edges chosen by the regions in [begin, end)."""
    count = 0
    for v in range(begin, end):
        count += stands_for_edge(neighbour, v)
    return count


@kernel
def keep_strongest(weight: np.ndarray, neighbour: np.ndarray, at_most: int) -> None:
    """Drop all but the `at_most` strongest of the chosen edges, by weight, then priority.

    `weight` [n] is that of the edge that each region chose, not negative.
    """
    count = len(weight)
    bits = weight.view(np.int64)  # which are in the same order
    rank = np.empty(count, np.int64)
    chosen = 0
    for v in range(count):
        if stands_for_edge(neighbour, v):
            rank[chosen] = bits[v]
            chosen += 1
    least = kth_smallest(rank[:chosen], chosen - at_most)
    stronger = equal = 0
    for v in range(count):
        if stands_for_edge(neighbour, v):
            stronger += bits[v] > least
            if bits[v] == least:
                rank[equal] = edge_priority(v, neighbour[v])
                equal += 1
    lowest = kth_smallest(rank[:equal], equal - (at_most - stronger))
    for v in range(count):
        if neighbour[v] != v and (
            bits[v] < least or (bits[v] == least and edge_priority(v, neighbour[v]) < lowest)
        ):
            neighbour[v] = v


@kernel
def kth_smallest(values: np.ndarray, k: int) -> int:
    """The value that k of the int64 values come before in order, found bit by bit."""
    value = LOWEST
    step = LOWEST
    for _ in range(64):
        middle = value ^ step  # with the next bit, whose sign is the other way round
        below = 0
        for i in range(len(values)):
            below += values[i] < middle
        value = middle if below <= k else value
        step = np.int64(np.uint64(step) >> _SHIFT)
    return value


@kernel
def find_roots(begin: int, end: int, pointer: np.ndarray, crossing: np.ndarray) -> int:
    """Point the regions of a chunk at the roots of their trees, or nearly so, in place.

    One sweep each way shortens all but a few paths to a single step; `number_by_first` walks the
    rest. Within the chunk, that is: what points out of it is a root here.

    Args:
        begin: First region.
        end: Behind the last.
        pointer: [n] uint32, the neighbour that each merges with; then its root.
        crossing: [2, end − begin] uint32, written: regions that point out of the chunk, and at
            which they do.

    Returns:
        How many regions point out of the chunk.
    """
    first, beyond = np.uint32(begin), np.uint32(end)
    crossed = 0
    for v in range(first, beyond):
        u = pointer[v]
        if u < first or u >= beyond:
            crossing[0, crossed], crossing[1, crossed] = v, u
            crossed += 1
            pointer[v] = v
        else:
            back = pointer[u]
            pointer[v] = v if (back == v) & (v < u) else u
    for v in range(first, beyond):
        pointer[v] = pointer[pointer[v]]
    for k in range(beyond - first):
        v = np.uint32(beyond - 1 - k)
        pointer[v] = pointer[pointer[v]]
    return crossed


@kernel
def number_by_first(begin: int, end: int, root: np.ndarray, label: np.ndarray) -> int:
    """Number the trees of a chunk from 0, in order of their first members; how many they are.

    Args:
        begin: First region.
        end: Behind the last.
        root: [n] uint32, from every region a step towards the root of its tree.
        label: [n] uint32, written: number of each region's tree.
    """
    first, beyond = np.uint32(begin), np.uint32(end)
    for v in range(first, beyond):
        label[v] = _NONE
    found = np.uint32(0)
    for v in range(first, beyond):
        r = root[v]
        while root[r] != r:
            r = root[r]
        is_new = label[r] == _NONE
        tree = found if is_new else label[r]
        label[r] = tree
        label[v] = tree
        found += np.uint32(is_new)
    return np.int64(found)


@kernel
def unite_across_chunks(
    crossing: np.ndarray,
    num_crossing: np.ndarray,
    first_region: np.ndarray,
    trees_before: np.ndarray,
    label: np.ndarray,
    tree_number: np.ndarray,
) -> None:
    """Unite trees of regions that touch across chunks.

    Args:
        crossing: [2, n] uint32, pointers out of chunk c, from `first_region[c]` on.
        num_crossing: [P] int64, how many there are.
        first_region: [P + 1] int64, of each chunk.
        trees_before: [P + 1] int64, trees before each chunk.
        label: [n] uint32, tree of each region, counted within its chunk.
        tree_number: [trees] uint32, written: see `trees.unite`.
    """
    for tree in range(len(tree_number)):
        tree_number[tree] = tree
    for c in range(len(num_crossing)):
        for k in range(first_region[c], first_region[c] + num_crossing[c]):
            v, u = crossing[0, k], crossing[1, k]
            d = chunk_of(np.int64(u), first_region)
            unite(tree_number, trees_before[c] + label[v], trees_before[d] + label[u])


@part
def chunk_of(region: int, first_region: np.ndarray) -> int:
    """The last chunk that begins at a region or before."""
    low, high = 0, len(first_region)
    while high - low > 1:
        middle = (low + high) // 2
        if first_region[middle] <= region:
            low = middle
        else:
            high = middle
    return low
