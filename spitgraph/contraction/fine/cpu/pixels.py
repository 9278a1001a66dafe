"""From pixels to the first regions: what separates two pixels, and which are cheapest to merge."""

import numpy as np

from spitgraph.contraction.cpu.grid import break_ties, neighbour_offset, point_to_strongest
from spitgraph.contraction.cpu.select import keep_strongest
from spitgraph.contraction.fine.rule import (
    COARSER,
    DISTANCE_FLOOR,
    EVIDENCE_FLOOR,
    MIDDLE_EXTRA,
)
from spitgraph.kernels.cpu.jit import kernel

_DISTANCE, _EVIDENCE = float(DISTANCE_FLOOR), float(EVIDENCE_FLOOR)
#: What the middle of 3 × 3 pixels counts more in the smoothed picture, and all of them.
_EXTRA, _COUNT = np.int32(MIDDLE_EXTRA), 9 + MIDDLE_EXTRA
_SHARE = 1 / _COUNT
_HALF, _SHIFT = np.int32(1 << (COARSER - 1)), np.int32(COARSER)
#: Bits of the largest double, from which those of costs are taken: an order from dear to cheap.
_MOST = np.int64(0x7FEFFFFFFFFFFFFF)


@kernel
def coarsen(values: np.ndarray, begin: int, features_q: np.ndarray) -> None:
    """Features [C, k] in the steps of `contract` become those of the fine rule, from `begin` on.

    Both arrays may be the same.
    """
    for c in range(len(values)):
        some = values[c]
        out = features_q[c, begin : begin + len(some)]
        for i in range(len(some)):
            out[i] = (some[i] + _HALF) >> _SHIFT


@kernel
def sum_patches(
    begin: int, end: int, features_q: np.ndarray, width: int, patch: np.ndarray
) -> None:
    """Features [C, H·W] int32 summed over the 3 × 3 pixels around each; borders are repeated.

    Of the pixels in [begin, end), which are whole rows, as everywhere here.
    """
    column = np.empty(width + 2, np.int32)
    inner = column[1 : width + 1]
    last = features_q.shape[1] - width
    for c in range(len(patch)):
        values = features_q[c]
        for row in range(begin, end, width):
            above, below = max(row - width, 0), min(row + width, last)
            one, two, three = (
                values[above : above + width],
                values[row : row + width],
                values[below : below + width],
            )
            for x in range(width):
                inner[x] = one[x] + two[x] + three[x]
            column[0], column[width + 1] = column[1], column[width]
            out = patch[c, row : row + width]
            for x in range(width):
                out[x] = column[x] + column[x + 1] + column[x + 2]


@kernel
def smooth(begin: int, end: int, features_q: np.ndarray, width: int, smoothed: np.ndarray) -> None:
    """Means over 3 × 3 pixels: `naive.smoothed`."""
    sum_patches(begin, end, features_q, width, smoothed)
    for c in range(len(smoothed)):
        out, middle = smoothed[c, begin:end], features_q[c, begin:end]
        for i in range(len(out)):
            total = np.float64(out[i] + _EXTRA * middle[i] + _COUNT // 2)
            out[i] = np.int32(np.floor((total + 0.5) * _SHARE))  # integers are divided one by one


@kernel
def find_evidence(
    begin: int, end: int, patch: np.ndarray, width: int, right: np.ndarray, below: np.ndarray
) -> None:
    """How different the patches on either side of each pixel side are: `naive.difference`.

    Args:
        begin: First pixel.
        end: Behind the last.
        patch: [C, H·W] int32, by `sum_patches`.
        width: W.
        right: [H·W] int32, written: of the sides between pixels and those right of them.
        below: [H·W] int32, written: of those below them.
    """
    num_pixels = patch.shape[1]
    square = np.empty(width)
    framed = np.empty(width + 3, np.int32)
    for row in range(begin, end, width):
        square[:] = 0.0
        for c in range(len(patch)):
            here = patch[c, row : row + width]
            for x in range(width):
                framed[x + 1] = here[x]
            framed[0], framed[width + 1], framed[width + 2] = (
                here[0],
                here[width - 1],
                here[width - 1],
            )
            for x in range(width):
                step = np.float64(framed[x + 3] - framed[x])
                square[x] += step * step
        out = right[row : row + width]
        for x in range(width):
            out[x] = np.int32(np.rint(np.sqrt(square[x])))
        square[:] = 0.0
        above = max(row - width, 0)
        beneath = min(row + 2 * width, num_pixels - width)
        for c in range(len(patch)):
            one, two = patch[c, above : above + width], patch[c, beneath : beneath + width]
            for x in range(width):
                step = np.float64(two[x] - one[x])
                square[x] += step * step
        out = below[row : row + width]
        for x in range(width):
            out[x] = np.int32(np.rint(np.sqrt(square[x])))


@kernel
def cheapest_directions(
    begin: int,
    end: int,
    features_q: np.ndarray,
    weights: np.ndarray,
    width: int,
    right: np.ndarray,
    below: np.ndarray,
    direction: np.ndarray,
    strength: np.ndarray,
) -> None:
    """Where each pixel is cheapest to merge.

    Between pixels, costs are but for a power of two what `merge_cost` says.

    Args:
        begin: First pixel.
        end: Behind the last.
        features_q: [C, H·W] int32.
        weights: [C] int64, what each channel counts.
        width: W.
        right: Evidence, as is `below`; see `find_evidence`.
        below: See `right`.
        direction: [H·W] uint8, written.
        strength: [H·W] float64, written: minus the cost; or empty.
    """
    num_pixels = features_q.shape[1]
    across = np.empty(width + 1)  # minus the costs: [x] left of pixel x, [x + 1] right of it
    across[:] = -np.inf
    over, under = np.full(width, -np.inf), np.full(width, -np.inf)
    distance = np.empty(width)
    tied = np.empty(width, np.uint32)
    for row in range(max(begin - width, 0), end, width):
        over, under = under, over
        distance[:] = _DISTANCE
        for c in range(len(weights)):
            w, here = np.float64(weights[c]), features_q[c, row : row + width]
            for x in range(width - 1):
                step = np.float64(here[x + 1] - here[x])
                distance[x] += w * (step * step)
        for x in range(width - 1):
            b = np.float64(right[row + x])
            d = distance[x]
            across[x + 1] = -(d * d * d * (b * b + _EVIDENCE))
        if row + width < num_pixels:
            distance[:] = _DISTANCE
            for c in range(len(weights)):
                w, here = np.float64(weights[c]), features_q[c, row : row + 2 * width]
                for x in range(width):
                    step = np.float64(here[x + width] - here[x])
                    distance[x] += w * (step * step)
            for x in range(width):
                b = np.float64(below[row + x])
                d = distance[x]
                under[x] = -(d * d * d * (b * b + _EVIDENCE))
        else:
            under[:] = -np.inf
        if row < begin:  # only what is over the first row was wanted
            continue
        out = direction[row : row + width]
        if point_to_strongest(across[:width], across[1:], over, under, out):
            break_ties(out, row, width, tied)
        if len(strength) > 0:
            for x in range(width):
                strength[row + x] = max(max(across[x], across[x + 1]), max(over[x], under[x]))


@kernel
def keep_cheapest(cost: np.ndarray, neighbour: np.ndarray, at_most: int) -> None:
    """Drop all but the `at_most` cheapest of the chosen edges, by cost, then priority.

    Args:
        cost: [n] float64, of the edge that each region chose, not negative; overwritten.
        neighbour: [n] uint32, the other end; itself where it chose none.
        at_most: How many are kept.
    """
    bits = cost.view(np.int64)
    for v in range(len(bits)):
        bits[v] = _MOST - bits[v]
    keep_strongest(cost, neighbour, at_most)


@kernel
def cut_directions(
    direction: np.ndarray, strength: np.ndarray, width: int, num_regions: int, neighbour: np.ndarray
) -> None:
    """Of all chosen edges between pixels, keep as many as leave `num_regions` trees.

    Args:
        direction: [n] uint8; changed.
        strength: [n] float64, minus the cost of each; overwritten.
        width: W.
        num_regions: How many trees.
        neighbour: [n] uint32, working memory.
    """
    for p in range(len(direction)):
        neighbour[p] = p + neighbour_offset(direction[p], width)
        strength[p] = -strength[p]
    keep_cheapest(strength, neighbour, len(direction) - num_regions)
    for p in range(len(direction)):
        if neighbour[p] == p:
            direction[p] = 0
