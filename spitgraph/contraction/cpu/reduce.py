"""What the clusters hold: exact sums, sizes and boxes (METHOD 2.5, 2.8).

Chunk by chunk: what belongs to a cluster that begins in an earlier chunk is listed for one thread.
"""

from typing import NamedTuple

import numpy as np

from spitgraph.contraction.cpu.weights import UNIT
from spitgraph.kernels.cpu.jit import kernel, part

#: Beyond the coordinates of any pixel.
FAR = 2**30


class Totals(NamedTuple):
    """What regions hold, exactly.

    Attributes:
        sums: [n, C] int64, quantised features.
        size: [n] int32, pixels.
        box: [n, 4] int32, (x_min, y_min, x_max, y_max), max exclusive; no rows if λ = 0.
    """

    sums: np.ndarray
    size: np.ndarray
    box: np.ndarray


@kernel
def clear(first: int, last: int, totals: Totals) -> None:
    """Make the regions in [first, last) empty."""
    sums, size, box = totals
    for a in range(first, last):
        size[a] = 0
    flat = sums[first:last].reshape(-1)
    for i in range(len(flat)):
        flat[i] = 0
    if len(box) > 0:
        for a in range(first, last):
            box[a, 0], box[a, 1], box[a, 2], box[a, 3] = FAR, FAR, 0, 0


@part
def copy_totals(source: Totals, count: int, target: Totals, place: int) -> None:
    """What the first `count` regions hold goes to other regions, from `place` on."""
    for a in range(count):
        target.size[place + a] = source.size[a]
        for c in range(source.sums.shape[1]):
            target.sums[place + a, c] = source.sums[a, c]
    if len(target.box) > 0:
        for a in range(count):
            for k in range(4):
                target.box[place + a, k] = source.box[a, k]


@kernel
def pool_pixels(
    begin: int,
    label: np.ndarray,
    tree_number: np.ndarray,
    features_q: np.ndarray,
    offset: int,
    width: int,
    pooled: Totals,
) -> None:
    """Give the pixels of a chunk the final numbers of their trees, and pool them.

    Args:
        begin: First pixel of the chunk.
        label: [n] uint32, preliminary numbers; the final ones are written.
        tree_number: [≥ trees] uint32, the final number of each.
        features_q: [C, ≥ offset + n] int32.
        offset: Where the first pixel's features are.
        width: W.
        pooled: Of the trees, added to.
    """
    sums, size, box = pooled
    if features_q.shape[0] == 3:
        first, second, third = (
            features_q[0, offset:],
            features_q[1, offset:],
            features_q[2, offset:],
        )
        for p in range(len(label)):
            a = tree_number[label[p]]
            label[p] = a
            sums[a, 0] += first[p]
            sums[a, 1] += second[p]
            sums[a, 2] += third[p]
            size[a] += 1
    else:
        for p in range(len(label)):
            a = tree_number[label[p]]
            label[p] = a
            for c in range(features_q.shape[0]):
                sums[a, c] += features_q[c, offset + p]
            size[a] += 1
    if len(box) > 0:
        for p in range(len(label)):
            y = row_of(begin + p, width)
            x = begin + p - y * width
            widen_box(box[label[p]], x, y, x + 1, y + 1)


@kernel
def pool_regions(
    begin: int,
    end: int,
    first: int,
    label: np.ndarray,
    totals: Totals,
    pooled: Totals,
    left_over: np.ndarray,
) -> int:
    """Pool the regions in [begin, end) into those of the next level from `first` on.

    Args:
        begin: First region.
        end: Behind the last.
        first: First cluster of this chunk.
        label: [n] uint32, cluster of each region.
        totals: Of the regions.
        pooled: Of the clusters, added to.
        left_over: [≥ end − begin] uint32, written: regions of clusters before `first`.

    Returns:
        How many are left over.
    """
    listed = 0
    for v in range(np.uint32(begin), np.uint32(end)):  # as in `select`
        if label[v] < first:
            left_over[listed] = v
            listed += 1
        else:
            pool(v, label[v], totals, pooled)
    return listed


@kernel
def pool_listed(listed: np.ndarray, label: np.ndarray, totals: Totals, pooled: Totals) -> None:
    """The same for the regions that were left over."""
    for k in range(len(listed)):
        v = listed[k]
        pool(v, label[v], totals, pooled)


@part
def pool(v: int, a: int, totals: Totals, pooled: Totals) -> None:
    """Add region v to cluster a."""
    for c in range(totals.sums.shape[1]):
        pooled.sums[a, c] += totals.sums[v, c]
    pooled.size[a] += totals.size[v]
    box = totals.box
    if len(box) > 0:
        widen_box(pooled.box[a], box[v, 0], box[v, 1], box[v, 2], box[v, 3])


@part
def widen_box(box: np.ndarray, x0: int, y0: int, x1: int, y1: int) -> None:
    """Extend a box to hold another."""
    box[0], box[1] = min(box[0], x0), min(box[1], y0)
    box[2], box[3] = max(box[2], x1), max(box[3], y1)


@part
def row_of(pixel: int, width: int) -> int:
    """`pixel // width`, exact below 2³¹: half a pixel away from where rounding could matter."""
    return np.int64((pixel + 0.5) * (1.0 / width))


@kernel
def mean_features(
    begin: int, end: int, sums: np.ndarray, size: np.ndarray, mean: np.ndarray
) -> None:
    """Write mean features [n, C] float64 of the regions in [begin, end)."""
    for a in range(np.uint32(begin), np.uint32(end)):
        for c in range(sums.shape[1]):
            mean[a, c] = np.float64(size[a])
    # one loop over all numbers: many divisions at a time
    flat, flat_sums = mean[begin:end].reshape(-1), sums[begin:end].reshape(-1)
    for i in range(len(flat)):
        flat[i] = np.float64(flat_sums[i]) / flat[i] * UNIT


@kernel
def sum_of_squares(size: np.ndarray) -> int:
    """Σ|v|², of which the deviation of the sizes follows."""
    total = 0
    for a in range(len(size)):
        pixels = np.int64(size[a])
        total += pixels * pixels
    return total
