"""Partitions made to nest (`naive.nested`)."""

import numpy as np

from spitgraph.contraction.cpu.grid import LEFT, UP
from spitgraph.contraction.cpu.trees import grow_trees
from spitgraph.contraction.fine.cpu.room import take
from spitgraph.kernels.cpu.jit import kernel


@kernel
def meet(
    fine: np.ndarray, coarse: np.ndarray, width: int, common: np.ndarray, room: np.ndarray
) -> int:
    """Connected parts of what two partitions have in common; how many there are.

    Args:
        fine: [H·W] uint32.
        coarse: [H·W] uint32.
        width: W.
        common: [H·W] uint32, written: numbered by their first pixels.
        room: See `room`.
    """
    direction, room = take(room, len(fine))
    for row in range(0, len(fine), width):
        a, b, out = fine[row : row + width], coarse[row : row + width], direction[row:]
        out[0] = 0
        for x in range(1, width):
            out[x] = LEFT * ((a[x] == a[x - 1]) & (b[x] == b[x - 1]))
        if row > 0:
            above_a, above_b = fine[row - width : row], coarse[row - width : row]
            above = direction[row - width : row]
            for x in range(width):  # once for two runs: the pixels left of these say the same
                joined = (a[x] == above_a[x]) & (b[x] == above_b[x])
                out[x] |= UP * (joined & ((out[x] & above[x] & LEFT) ^ LEFT))
    number = take(room, 4 * len(fine))[0].view(np.uint32)
    count = grow_trees(direction, width, common, number)
    for p in range(len(common)):
        common[p] = number[common[p]]
    return count
