"""Strongest edge of every region → clusters of regions (METHOD 2.4, 2.5, 2.7).

`to` says which region each is merged with, itself if it is not. These pointers form trees, whose
roots are pairs that point at each other; pointer doubling finds them. Written without branches
where a processor could not foresee them.

Regions come in chunks [begin, end). What leaves a chunk is listed, and put right by one thread.
"""

import numpy as np

from spitgraph.contraction.cpu.trees import unite
from spitgraph.contraction.cpu.weights import (
    blended,
    box_fill,
    edge_weights,
    priority,
    self_loop,
)
from spitgraph.kernels.cpu.jit import kernel, part

#: Edges weighed at a time.
BLOCK = 1024
#: Best weight of a region that no edge has reached.
NOTHING = -1.0
_NONE = np.uint32(2**32 - 1)


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

    Edges with an end elsewhere go to `leaving`, by number; returns how many.
    """
    weight = np.empty(BLOCK)
    left = 0
    for start in range(0, len(u), BLOCK):
        stop = min(start + BLOCK, len(u))
        ends_u, ends_v, out = u[start:stop], v[start:stop], weight[: stop - start]
        edge_weights(code, compactness, ends_u, ends_v, mean, size, box, out)
        for i in range(len(out)):
            a, b, w = ends_u[i], ends_v[i], out[i]
            if min(a, b) < begin or max(a, b) >= end:
                leaving[left] = start + i
                left += 1
                continue
            best_a, best_b = best[a], best[b]
            nearest_a, nearest_b = nearest[a], nearest[b]
            # equals are rare, but for the same edge listed twice
            if ((w == best_a) & (nearest_a != b)) | ((w == best_b) & (nearest_b != a)):
                if w > best_a or (w == best_a and priority(a, b) > priority(a, nearest_a)):
                    nearest[a] = b
                if w > best_b or (w == best_b and priority(a, b) > priority(b, nearest_b)):
                    nearest[b] = a
            else:  # all was read before, so that no branch is needed
                nearest[a] = b if w > best_a else nearest_a
                nearest[b] = a if w > best_b else nearest_b
            best[a] = max(w, best_a)
            best[b] = max(w, best_b)
    return left


@kernel
def decide(
    begin: int,
    end: int,
    compactness: float,
    spread: np.ndarray,
    size: np.ndarray,
    box: np.ndarray,
    best: np.ndarray,
    nearest: np.ndarray,
    to: np.ndarray,
) -> int:
    """Merge each region with the nearest, unless its self-loop is stronger; how many merge."""
    mean_size, deviation = spread
    merging = 0
    for v in range(begin, end):
        merges = best[v] != NOTHING
        if size[v] > 1 and deviation > 0:
            own = self_loop(size[v], mean_size, deviation)
            if compactness != 0:
                fill = box_fill(size[v], box[v, 2] - box[v, 0], box[v, 3] - box[v, 1])
                own = blended(own, fill, compactness)
            merges &= best[v] >= own
        to[v] = nearest[v] if merges else v
        merging += merges
    return merging


@kernel
def merge_all(best: np.ndarray, nearest: np.ndarray, to: np.ndarray, count: int) -> None:
    """Let self-loops stand aside."""
    for v in range(count):
        if best[v] != NOTHING:
            to[v] = nearest[v]


@part
def chosen(to: np.ndarray, v: int) -> bool:
    """Whether v chose an edge, and not the one that counts at its smaller end."""
    u = to[v]
    return u != v and (v < u or to[u] != v)


@kernel
def edges_chosen(begin: int, end: int, to: np.ndarray) -> int:
    """Edges chosen by the regions in [begin, end)."""
    count = 0
    for v in range(begin, end):
        count += chosen(to, v)
    return count


@kernel
def keep_strongest(weight: np.ndarray, to: np.ndarray, at_most: int) -> None:
    """Drop all but the `at_most` strongest of the chosen edges, by weight, then priority.

    `weight` [n] is that of the edge that each region chose.
    """
    count = len(weight)
    once = np.empty(count, np.bool_)
    for v in range(count):
        once[v] = chosen(to, v)
    weights = weight[once]
    least = np.sort(weights)[len(weights) - at_most]
    ranks = np.empty(np.sum(weights == least), np.int64)
    k = 0
    for v in range(count):
        if once[v] and weight[v] == least:
            ranks[k] = priority(v, to[v])
            k += 1
    lowest = np.sort(ranks)[len(ranks) - (at_most - np.sum(weights > least))]
    for v in range(count):
        if to[v] != v and (
            weight[v] < least or (weight[v] == least and priority(v, to[v]) < lowest)
        ):
            to[v] = v


@kernel
def find_roots(begin: int, end: int, to: np.ndarray, crossing: np.ndarray) -> int:
    """Point the regions of a chunk at the roots of their trees, or nearly so, in place.

    One sweep each way shortens all but a few paths to a single step; `number_roots` walks the rest.
    Within the chunk, that is: what points out of it is a root here. Such regions are listed with
    what they point at, in two rows of `crossing`; returns how many they are.
    """
    crossed = 0
    for v in range(begin, end):
        u = to[v]
        if u < begin or u >= end:
            crossing[0, crossed], crossing[1, crossed] = v, u
            crossed += 1
            to[v] = v
        else:
            back = to[u]
            to[v] = v if (back == v) & (v < u) else u
    for v in range(begin, end):
        to[v] = to[to[v]]
    for v in range(end - 1, begin - 1, -1):
        to[v] = to[to[v]]
    return crossed


@kernel
def number_roots(begin: int, end: int, root: np.ndarray, label: np.ndarray) -> int:
    """Number the trees of a chunk from 0, in order of their first members; how many they are."""
    for v in range(begin, end):
        label[v] = _NONE
    found = np.uint32(0)
    for v in range(begin, end):
        r = root[v]
        while root[r] != r:
            r = root[r]
        is_new = label[r] == _NONE
        number = found if is_new else label[r]
        label[r] = number
        label[v] = number
        found += np.uint32(is_new)
    return np.int64(found)


@kernel
def merge_across(
    crossing: np.ndarray,
    crossed: np.ndarray,
    bound: np.ndarray,
    base: np.ndarray,
    label: np.ndarray,
    number: np.ndarray,
) -> None:
    """Unite trees that touch across chunks.

    Args:
        crossing: [2, n] uint32, pointers out of chunk c, from `bound[c]` on.
        crossed: [P] int64, how many there are.
        bound: [P + 1] int64, first region of each chunk.
        base: [P + 1] int64, trees before each chunk.
        label: [n] uint32, tree of each region, counted within its chunk.
        number: [trees] uint32, written: see `trees.unite`.
    """
    for tree in range(len(number)):
        number[tree] = tree
    for c in range(len(crossed)):
        for k in range(bound[c], bound[c] + crossed[c]):
            v, u = crossing[0, k], crossing[1, k]
            d = np.searchsorted(bound, np.int64(u), side="right") - 1
            unite(number, base[c] + label[v], base[d] + label[u])


@kernel
def relabel(label: np.ndarray, number: np.ndarray) -> None:
    """Labels within a chunk become those of the whole image."""
    for v in range(len(label)):
        label[v] = number[label[v]]
