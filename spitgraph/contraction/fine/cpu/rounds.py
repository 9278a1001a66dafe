"""One round: which regions merge with which, and what they become (`naive.merged`)."""

import numpy as np

from spitgraph.contraction.cpu.select import (
    count_chosen_edges,
    find_roots,
    kth_smallest,
    number_by_first,
)
from spitgraph.contraction.cpu.weights import edge_priority
from spitgraph.contraction.fine.cpu.borders import SOME, Borders
from spitgraph.contraction.fine.cpu.pixels import keep_cheapest
from spitgraph.contraction.fine.cpu.room import take
from spitgraph.contraction.fine.rule import (
    DISTANCE_FLOOR,
    EVIDENCE_FLOOR,
    FEW,
    LEAST_MEAN_SIZE,
    SHARE,
    VARIANCE_FLOOR,
)
from spitgraph.kernels.cpu.jit import kernel, part

_DISTANCE, _EVIDENCE = float(DISTANCE_FLOOR), float(EVIDENCE_FLOOR)
_VARIANCE = float(VARIANCE_FLOOR)
_OF, _OUT_OF = SHARE
_LEAST, _FEW = LEAST_MEAN_SIZE, FEW
#: Of values of which each is split into those below and above one of them, before it is given up.
_MOST_SPLITS = 100


@kernel
def describe(held: np.ndarray, weights: np.ndarray, known: np.ndarray) -> None:
    """What costs are made of: means, variation and size of each region.

    Args:
        held: [n, C + 2] int64: sums of features, of squares, pixels.
        weights: [C] int64, what each channel counts.
        known: [n, C + 2] float64, written.
    """
    channels = len(weights)
    for r in range(len(held)):
        size = np.float64(held[r, channels + 1])
        total = 0.0
        for c in range(channels):
            mean = np.float64(held[r, c]) / size
            known[r, c] = mean
            total += np.float64(weights[c]) * (mean * mean)
        known[r, channels] = max(0.0, np.float64(held[r, channels]) - total * size)
        known[r, channels + 1] = size


@kernel
def merge_costs(borders: Borders, known: np.ndarray, weights: np.ndarray) -> None:
    """What it costs to merge the pairs of which that is not known; `known` is by `describe`.

    What is known of the two is fetched for some pairs, then computed with for several at a time.
    """
    channels = len(weights)
    a, b, distance, variation = np.empty((4, SOME))
    for span in range(len(borders.fresh)):
        start, end = borders.fresh[span]
        while start < end:
            some = min(SOME, end - start)
            us, vs = borders.u[start : start + some], borders.v[start : start + some]
            for e in range(some):
                u, v = us[e], vs[e]
                d = 0.0
                for c in range(channels):
                    step = known[u, c] - known[v, c]
                    d += np.float64(weights[c]) * (step * step)
                distance[e] = d
                variation[e] = known[u, channels] + known[v, channels]
                a[e], b[e] = known[u, channels + 1], known[v, channels + 1]
            length, evidence = borders.length[start:], borders.evidence[start:]
            out = borders.cost[start : start + some]
            for e in range(some):
                out[e] = merge_cost(
                    a[e],
                    b[e],
                    distance[e],
                    variation[e],
                    np.float64(length[e]),
                    np.float64(evidence[e]),
                )
            start += some


@part
def merge_cost(
    a: float, b: float, distance: float, variation: float, length: float, evidence: float
) -> float:
    """See `naive.merge_cost`."""
    s = a + b
    q = a * b / s
    d = distance + _DISTANCE
    per_side = evidence / length
    e = per_side * per_side + _EVIDENCE
    within = variation / s + _VARIANCE
    q3 = q * q * q
    shape = np.sqrt(min(a, b) / (length * length * length * within))
    return q3 * q3 * s * (d * d * d) * e * shape


@kernel
def find_cheapest(borders: Borders, count: int, best: np.ndarray, nearest: np.ndarray) -> None:
    """The cheapest edge of each region: its cost, and its other end, or the region itself."""
    for r in range(len(best)):
        best[r] = np.inf
        nearest[r] = r
    for e in range(count):
        a, b, w = borders.u[e], borders.v[e], borders.cost[e]
        best_a, best_b = best[a], best[b]
        nearest_a, nearest_b = nearest[a], nearest[b]
        if (w == best_a) | (w == best_b):
            priority = edge_priority(a, b)
            if w < best_a or (w == best_a and priority > edge_priority(a, nearest_a)):
                nearest[a] = b
            if w < best_b or (w == best_b and priority > edge_priority(b, nearest_b)):
                nearest[b] = a
        else:  # all was read before, so that no branch is needed
            nearest[a] = b if w < best_a else nearest_a
            nearest[b] = a if w < best_b else nearest_b
        best[a] = min(w, best_a)
        best[b] = min(w, best_b)


@kernel
def order_statistic(values: np.ndarray, rank: int) -> float:
    """The value that `rank` others come before, in order; `values`, not negative, are rearranged.

    As `np.partition` finds it, but without branches that depend on the values: four times as fast.
    """
    first, end = 0, len(values)
    for _ in range(_MOST_SPLITS):
        a, b, c = values[first], values[(first + end) // 2], values[end - 1]
        pivot = max(min(a, b), min(max(a, b), c))
        less = first
        for i in range(first, end):
            value = values[i]
            values[i], values[less] = values[less], value
            less += np.int64(value < pivot)
        same = less
        for i in range(less, end):
            value = values[i]
            values[i], values[same] = values[same], value
            same += np.int64(value == pivot)
        if less <= rank < same:
            return pivot
        if rank < less:
            end = less
        else:
            first = same
    least = np.empty(1, np.int64)  # bits are in the same order
    least[0] = kth_smallest(values.view(np.int64), rank)
    return least.view(np.float64)[0]


@kernel
def cheap(best: np.ndarray, room: np.ndarray) -> float:
    """The cost that a share of the regions' cheapest edges do not exceed: `naive.threshold`."""
    finite = take(room, 8 * len(best))[0].view(np.float64)
    count = 0
    for r in range(len(best)):
        finite[count] = best[r]
        count += best[r] < np.inf
    if count == 0:
        return np.inf
    return order_statistic(finite[:count], -(-_OF * count // _OUT_OF) - 1)


@kernel
def choose_mutual(
    best: np.ndarray, nearest: np.ndarray, limit: float, neighbour: np.ndarray
) -> None:
    """Pairs that are each other's cheapest merge, up to a cost."""
    for r in range(len(best)):
        other = nearest[r]
        merges = (nearest[other] == r) & (best[r] <= limit)  # whether is hard to guess
        neighbour[r] = other if merges else r


@kernel
def merge_round(
    borders: Borders,
    count: int,
    held: np.ndarray,
    weights: np.ndarray,
    num_pixels: int,
    target: int,
    cluster: np.ndarray,
    room: np.ndarray,
) -> int:
    """Clusters of regions, numbered by their first members; how many there are.

    Args:
        borders: Who touches whom.
        count: Pairs that do.
        held: [n, C + 2] int64; see `describe`.
        weights: [C] int64.
        num_pixels: Of the image.
        target: Not fewer clusters than these.
        cluster: [≥ n] uint32, written.
        room: See `room`.
    """
    n = len(held)
    known = take(room, 8 * held.size)[0].view(np.float64).reshape(held.shape)
    describe(held, weights, known)
    merge_costs(borders, known, weights)
    taken, room = take(room, 8 * n)  # where `known` was
    best = taken.view(np.float64)
    taken, room = take(room, 4 * n)
    neighbour = nearest = taken.view(np.uint32)
    find_cheapest(borders, count, best, nearest)
    if num_pixels >= _LEAST * n:
        limit = cheap(best, room) if n <= _FEW * target else np.inf
        neighbour = take(room, 4 * n)[0].view(np.uint32)
        choose_mutual(best, nearest, limit, neighbour)
    if count_chosen_edges(0, n, neighbour) > n - target:
        keep_cheapest(best, neighbour, n - target)
    find_roots(0, n, neighbour, np.empty((2, 0), np.uint32))
    return number_by_first(0, n, neighbour, cluster)


@kernel
def pool(held: np.ndarray, cluster: np.ndarray) -> None:
    """What clusters of regions hold, in place: they are numbered by their first members."""
    found = 0
    for r in range(len(held)):
        into = np.int64(cluster[r])
        is_first = into == found
        found += is_first
        for c in range(held.shape[1]):
            held[into, c] = held[r, c] + (0 if is_first else held[into, c])


@kernel
def pool_pixels(
    features_q: np.ndarray, weights: np.ndarray, label: np.ndarray, held: np.ndarray
) -> None:
    """What regions of pixels hold goes to `held`, [n, C + 2] int64; see `describe`."""
    channels = len(weights)
    held[:] = 0
    if channels == 3:  # as most have: in half the time, written out
        first, second, third = weights[0], weights[1], weights[2]
        for p in range(len(label)):
            into = label[p]
            x, y, z = (
                np.int64(features_q[0, p]),
                np.int64(features_q[1, p]),
                np.int64(features_q[2, p]),
            )
            held[into, 0] += x
            held[into, 1] += y
            held[into, 2] += z
            held[into, 3] += first * x * x + second * y * y + third * z * z
            held[into, 4] += 1
        return
    for p in range(len(label)):
        into = label[p]
        square = 0
        for c in range(channels):
            x = np.int64(features_q[c, p])
            held[into, c] += x
            square += weights[c] * x * x
        held[into, channels] += square
        held[into, channels + 1] += 1
