"""Strongest edge of every pixel, from the grid's regular structure: no edge list is made."""

import numpy as np

from spitgraph.contraction.cpu.weights import (
    COSINE,
    PIXEL_PAIR_FILL,
    blended,
    pixel_scale,
    priority,
    row_weights,
)
from spitgraph.kernels.cpu.jit import kernel

#: Ways to go from a pixel, one bit each; none is no way at all.
LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8
#: Below every weight: stands for the edges that leave the image.
NO_EDGE = -1.0
#: Below every priority but one in 2⁶⁴.
LOWEST = np.int64(-(2**63))
_ONE = np.uint8(1)
_0, _1 = np.uint32(0), np.uint32(1)


@kernel
def choose_ways(
    steps: np.ndarray,
    origin: int,
    height: int,
    width: int,
    code: int,
    compactness: float,
    begin: int,
    end: int,
    way: np.ndarray,
) -> None:
    """The way from each pixel of the rows in [begin, end) to the neighbour it is drawn to most.

    Args:
        steps: [C, …] quantised features of these rows, and of those above and below.
        origin: Pixel that `steps` begins with.
        height: H.
        width: W.
        code: Of the similarity.
        compactness: λ.
        begin: First pixel of the rows.
        end: Behind their last pixel.
        way: [end − begin] uint8, written.
    """
    if height * width == 1:
        way[0] = 0
        return
    across = np.full(width + 1, NO_EDGE)  # [x] lies left of pixel x, [x + 1] right of it
    left, right = across[:width], across[1:]
    above, below = np.full(width, NO_EDGE), np.full(width, NO_EDGE)
    quick = steps.shape[0] == 3 and code != COSINE
    a0, a1, a2 = np.empty(width), np.empty(width), np.empty(width)  # features of a row
    b0, b1, b2 = np.empty(width), np.empty(width), np.empty(width)  # and of the row below
    place = np.empty(width, np.uint32)
    scale = pixel_scale(code)
    start = max(begin - width, 0)
    if quick:
        for x in range(width):
            a0[x] = steps[0, start - origin + x]
            a1[x] = steps[1, start - origin + x]
            a2[x] = steps[2, start - origin + x]
    for row in range(start, end, width):
        first = row - origin
        above, below = below, above
        if row + width == height * width:
            below[:] = NO_EDGE
        elif quick:
            second = first + width
            s0, s1, s2 = steps[0, second:], steps[1, second:], steps[2, second:]
            for x in range(width):
                v0, v1, v2 = np.float64(s0[x]), np.float64(s1[x]), np.float64(s2[x])
                d0, d1, d2 = a0[x] - v0, a1[x] - v1, a2[x] - v2
                b0[x], b1[x], b2[x] = v0, v1, v2
                below[x] = 1.0 / (1.0 + scale * (d0 * d0 + d1 * d1 + d2 * d2))
            if compactness != 0:
                for x in range(width):
                    below[x] = blended(below[x], PIXEL_PAIR_FILL, compactness)
        else:
            row_weights(code, compactness, steps, first, first + width, below)
        if row < begin:
            a0, a1, a2, b0, b1, b2 = b0, b1, b2, a0, a1, a2
            continue
        if quick:
            for x in range(width - 1):
                d0, d1, d2 = a0[x] - a0[x + 1], a1[x] - a1[x + 1], a2[x] - a2[x + 1]
                right[x] = 1.0 / (1.0 + scale * (d0 * d0 + d1 * d1 + d2 * d2))
            if compactness != 0:
                for x in range(width - 1):
                    right[x] = blended(right[x], PIXEL_PAIR_FILL, compactness)
        else:
            row_weights(code, compactness, steps, first, first + 1, across[1:width])
        here = way[row - begin : row - begin + width]
        for x in range(width):
            best = max(max(left[x], right[x]), max(above[x], below[x]))
            here[x] = (
                (left[x] == best) * LEFT
                + (right[x] == best) * RIGHT
                + (above[x] == best) * UP
                + (below[x] == best) * DOWN
            )
        equals = np.uint8(0)
        for x in range(width):
            equals |= here[x] & (here[x] - _ONE)
        if equals != 0:
            choose_of_equals(here, row, width, place)
        a0, a1, a2, b0, b1, b2 = b0, b1, b2, a0, a1, a2


@kernel
def choose_of_equals(here: np.ndarray, row: int, width: int, place: np.ndarray) -> None:
    """Of several strongest edges of a pixel, keep the one of highest priority.

    `place` [W] uint32 is working memory.
    """
    found = _0
    for x in range(width):
        place[found] = x
        found += _1 if here[x] & (here[x] - _ONE) else _0
    for k in range(found):
        ways = here[place[k]]
        p = row + np.int64(place[k])
        chosen, highest = np.uint8(0), LOWEST
        if ways & LEFT:
            chosen, highest = np.uint8(LEFT), priority(p, p - 1)
        if ways & RIGHT:
            rank = priority(p, p + 1)
            chosen, highest = (np.uint8(RIGHT) if rank > highest else chosen), max(rank, highest)
        if ways & UP:
            rank = priority(p, p - width)
            chosen, highest = (np.uint8(UP) if rank > highest else chosen), max(rank, highest)
        if ways & DOWN:
            rank = priority(p, p + width)
            chosen = np.uint8(DOWN) if rank > highest else chosen
        here[place[k]] = chosen


@kernel
def ahead(way: int, width: int) -> int:
    """From a pixel's number to that of the neighbour that lies this way."""
    if way == LEFT:
        return -1
    if way == RIGHT:
        return 1
    return width if way == DOWN else -width
