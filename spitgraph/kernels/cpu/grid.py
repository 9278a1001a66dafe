"""Strongest edge of every pixel, from the grid's regular structure: no edge list is made."""

import numpy as np

from spitgraph.kernels.cpu.threads import kernel
from spitgraph.kernels.cpu.weights import priority, row_weights

#: Bits of the neighbours whose edge is the strongest.
LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8
#: Below every weight: stands for the edges that leave the image.
NO_EDGE = -1.0


@kernel
def strongest_pixel_edges(
    steps: np.ndarray,
    height: int,
    width: int,
    code: int,
    compactness: float,
    begin: int,
    end: int,
    to: np.ndarray,
) -> None:
    """The neighbour that each pixel of the rows in [begin, end) is drawn to most.

    Args:
        steps: [C, H·W] quantised features.
        height: H.
        width: W.
        code: Of the similarity.
        compactness: λ.
        begin: First pixel of the rows.
        end: Behind their last pixel.
        to: [H·W] uint32, written.
    """
    across = np.full(width + 1, NO_EDGE)  # [x] lies left of pixel x, [x + 1] right of it
    above = np.full(width, NO_EDGE)
    below = np.full(width, NO_EDGE)
    strongest = np.empty(width, np.uint8)
    ahead = np.zeros(16, np.int64)
    ahead[LEFT], ahead[RIGHT], ahead[UP], ahead[DOWN] = -1, 1, -width, width
    if 0 < begin < end:
        row_weights(code, compactness, steps, begin - width, begin, below)
    for row in range(begin, end, width):
        above, below = below, above
        row_weights(code, compactness, steps, row, row + 1, across[1:width])
        if row + width < height * width:
            row_weights(code, compactness, steps, row, row + width, below)
        else:
            below[:] = NO_EDGE
        for x in range(width):
            best = max(max(across[x], across[x + 1]), max(above[x], below[x]))
            strongest[x] = (
                (across[x] == best) * LEFT
                + (across[x + 1] == best) * RIGHT
                + (above[x] == best) * UP
                + (below[x] == best) * DOWN
            )
        for x in range(width):
            pixel = row + x
            step = ahead[strongest[x]]
            if step == 0:
                step = first_of_equals(strongest[x], pixel, ahead)
            to[pixel] = pixel + step


@kernel
def first_of_equals(strongest: int, pixel: int, ahead: np.ndarray) -> int:
    """Of several strongest edges, the way to the one of highest priority."""
    chosen, highest = 0, 0
    for bit in (LEFT, RIGHT, UP, DOWN):
        if strongest & bit:
            rank = priority(pixel, pixel + ahead[bit])
            if chosen == 0 or rank > highest:
                chosen, highest = ahead[bit], rank
    return chosen
