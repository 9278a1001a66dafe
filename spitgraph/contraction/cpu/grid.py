"""Strongest edge of every pixel, from the grid's regular structure: no edge list is made."""

import numpy as np

from spitgraph.contraction.cpu.weights import NO_EDGE, UNIT, edge_priority, row_weights
from spitgraph.kernels.cpu.jit import kernel, part

#: Directions to go from a pixel, one bit each; 0 is to stay.
LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8
#: How much further right a neighbour is: numbers with a type, see `phases`.
BELOW, BESIDE = np.int64(0), np.int64(1)
#: Below every priority but one in 2⁶⁴.
LOWEST = np.int64(-(2**63))
_ONE = np.uint8(1)
_0, _1 = np.uint32(0), np.uint32(1)


@kernel
def choose_directions(
    features_q: np.ndarray,
    origin: int,
    height: int,
    width: int,
    code: int,
    compactness: float,
    begin: int,
    end: int,
    direction: np.ndarray,
    weight: np.ndarray,
) -> None:
    """Where each pixel of the rows in [begin, end) is drawn to most (METHOD 2.4 at level 0).

    Args:
        features_q: [C, …] int32, quantised features of these rows, and of those above and below.
        origin: Pixel that `features_q` begins with.
        height: H.
        width: W.
        code: Of the similarity.
        compactness: λ.
        begin: First pixel of the rows.
        end: Behind their last pixel.
        direction: [end − begin] uint8, written.
        weight: [end − begin] float64, written: that of the edge in this direction; or empty.
    """
    if height * width == 1:
        direction[0] = 0
        return
    across = np.empty(width + 1)  # [x] lies left of pixel x, [x + 1] right of it
    across[:] = NO_EDGE
    left, right = across[:width], across[1:]
    above, below = np.empty(width), np.empty(width)
    below[:] = NO_EDGE
    features = np.empty((len(features_q), width))  # of a row
    features_below = np.empty((len(features_q), width))
    tied = np.empty(width, np.uint32)
    start = max(begin - width, 0)
    load_row(features_q, start - origin, features)
    for row in range(start, end, width):
        above, below = below, above
        if row + width == height * width:
            below[:] = NO_EDGE
        else:
            load_row(features_q, row + width - origin, features_below)
            row_weights(code, compactness, features, features_below, BELOW, below)
        if row >= begin:
            row_weights(code, compactness, features, features, BESIDE, right)
            here = direction[row - begin : row - begin + width]
            if point_to_strongest(left, right, above, below, here):
                break_ties(here, row, width, tied)
            if len(weight) > 0:
                for x in range(width):
                    best = max(max(left[x], right[x]), max(above[x], below[x]))
                    weight[row - begin + x] = best
        features, features_below = features_below, features


@part
def load_row(features_q: np.ndarray, first: int, features: np.ndarray) -> None:
    """Features [C, W] of the pixels from `first` on, exact in float64."""
    for c in range(len(features_q)):
        row_q, row = features_q[c, first:], features[c]
        for x in range(len(row)):
            row[x] = np.float64(row_q[x]) * UNIT


@kernel
def point_to_strongest(
    left: np.ndarray, right: np.ndarray, above: np.ndarray, below: np.ndarray, here: np.ndarray
) -> bool:
    """Directions of the strongest edges of each pixel of a row; whether some pixel has several."""
    for x in range(len(here)):
        best = max(max(left[x], right[x]), max(above[x], below[x]))
        here[x] = (
            (left[x] == best) * LEFT
            + (right[x] == best) * RIGHT
            + (above[x] == best) * UP
            + (below[x] == best) * DOWN
        )
    tied = np.uint8(0)
    for x in range(len(here)):
        tied |= here[x] & (here[x] - _ONE)
    return tied != 0


@kernel
def break_ties(here: np.ndarray, row: int, width: int, tied: np.ndarray) -> None:
    """Of several directions of a pixel, keep that of the edge of highest priority.

    Args:
        here: [W] uint8, directions of a row's pixels, changed.
        row: Its first pixel.
        width: W.
        tied: [W] uint32, working memory: columns of the pixels in question.
    """
    for k in range(columns_in_question(here, tied)):
        directions = here[tied[k]]
        p = row + np.int64(tied[k])
        chosen, highest = np.uint8(0), LOWEST
        if directions & LEFT:
            chosen, highest = np.uint8(LEFT), edge_priority(p, p - 1)
        if directions & RIGHT:
            rank = edge_priority(p, p + 1)
            chosen, highest = (np.uint8(RIGHT) if rank > highest else chosen), max(rank, highest)
        if directions & UP:
            rank = edge_priority(p, p - width)
            chosen, highest = (np.uint8(UP) if rank > highest else chosen), max(rank, highest)
        if directions & DOWN:
            rank = edge_priority(p, p + width)
            chosen = np.uint8(DOWN) if rank > highest else chosen
        here[tied[k]] = chosen


@kernel
def columns_in_question(here: np.ndarray, columns: np.ndarray) -> int:
    """Write the columns [W] uint32 of pixels with several directions; how many there are."""
    found = _0
    for x in range(len(here)):
        columns[found] = x
        found += _1 if here[x] & (here[x] - _ONE) else _0
    return np.int64(found)


@kernel
def neighbour_offset(direction: int, width: int) -> int:
    """From a pixel's number to that of the neighbour in a direction."""
    if direction == LEFT:
        return -1
    if direction == RIGHT:
        return 1
    return width if direction == DOWN else -width
