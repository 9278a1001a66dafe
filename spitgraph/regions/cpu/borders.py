"""From what was measured to what regions look like, and edges sorted in both directions."""

import numpy as np

from spitgraph.kernels.cpu.jit import kernel
from spitgraph.regions.describe import COLOUR_STEPS

_32, _LOW = np.uint64(32), np.uint64(2**32 - 1)
_NONE = np.uint64(2**64 - 1)


@kernel
def finish_image(
    sums: np.ndarray,
    pair: np.ndarray,
    length: np.ndarray,
    size: np.ndarray,
    pos: np.ndarray,
    color: np.ndarray,
    first_region: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Write the attributes of an image's regions; its edges [2, E] and their lengths.

    Args:
        sums: [N, 6] int64, see `measure.measure_rows`.
        pair: [E] uint64.
        length: [E] int64.
        size: [N] int64, written.
        pos: [N, 2] float32, written.
        color: [N, 3] float32, written.
        first_region: Number of the image's first region.
    """
    for r in range(len(size)):
        pixels = np.float64(sums[r, 5])
        size[r] = sums[r, 5]
        for k in range(2):
            pos[r, k] = np.float64(sums[r, k]) / pixels
        for c in range(3):
            color[r, c] = np.float64(sums[r, 2 + c]) / pixels / COLOUR_STEPS
    return both_directions(pair, length, len(size), first_region)


@kernel
def both_directions(
    pair: np.ndarray, length: np.ndarray, num_regions: int, first_region: int
) -> tuple[np.ndarray, np.ndarray]:
    """Edges in both directions, each once and sorted, and their lengths, from pairs in any order.

    Two counting sorts, by the larger and then by the smaller end, bring equal pairs together and
    all into order. Then every region meets its neighbours in ascending order: the smaller ones in
    pairs that come before its own, which bring the larger ones.
    """
    high = (pair & _LOW).astype(np.int64)
    low = (pair >> _32).astype(np.int64)
    order = counting_sort(high, np.arange(len(pair)), num_regions)
    order = counting_sort(low, order, num_regions)
    ends = np.empty((2, len(pair)), np.int64)
    total = np.empty(len(pair), np.int64)
    degree = np.zeros(num_regions + 1, np.int64)
    unique = 0
    last = _NONE
    for k in order:
        if pair[k] == last:
            total[unique - 1] += length[k]
        else:
            last = pair[k]
            ends[0, unique], ends[1, unique], total[unique] = low[k], high[k], length[k]
            degree[low[k] + 1] += 1
            degree[high[k] + 1] += 1
            unique += 1
    place = np.cumsum(degree)
    edges = np.empty((2, 2 * unique), np.int64)
    lengths = np.empty(2 * unique, np.float32)
    for e in range(unique):
        for direction in range(2):
            a, b = ends[direction, e], ends[1 - direction, e]
            edges[0, place[a]], edges[1, place[a]] = first_region + a, first_region + b
            lengths[place[a]] = total[e]
            place[a] += 1
    return edges, lengths


@kernel
def counting_sort(key: np.ndarray, order: np.ndarray, num_keys: int) -> np.ndarray:
    """`order` sorted by the keys, stably."""
    place = np.zeros(num_keys + 1, np.int64)
    for k in key:
        place[k + 1] += 1
    place = np.cumsum(place)
    ordered = np.empty_like(order)
    for i in order:
        ordered[place[key[i]]] = i
        place[key[i]] += 1
    return ordered
