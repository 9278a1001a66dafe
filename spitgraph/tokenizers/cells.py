"""Nearest seeds on the CPU, compiled by Numba: block by block of pixels (METHOD 6)."""

import numpy as np

from spitgraph.kernels.cpu.jit import kernel

#: Least and greatest side of a block.
LEAST, MOST = 4, 32
#: A seed's distance from a block is taken to be a little less than what rounding makes of it.
_A_LITTLE_LESS = 1 - 1e-12


def block_side(height: int, width: int, num_seeds: int) -> int:
    """About the side of a cell: then few seeds are near, and few blocks ask for them."""
    return int(min(max((height * width / num_seeds) ** 0.5, LEAST), MOST))


def warm_up() -> None:
    """Find the cells of some pixels."""
    nearest_cells(2, 3, np.array([[0.0, 0.0], [2.0, 1.0]]), 2, np.empty(6, np.int64))


@kernel
def nearest_cells(height: int, width: int, seeds: np.ndarray, side: int, cell: np.ndarray) -> int:
    """Cell of each pixel: its nearest seed, of equally near ones the first.

    A seed can be nearest to a pixel of a block only if it is no further from the block than another
    seed is from the block's furthest pixel.

    Args:
        height: H.
        width: W.
        seeds: [K, 2] float64, (x, y) of each.
        side: Of a block.
        cell: [H·W] int64, written; seeds without a pixel are not counted.

    Returns:
        How many cells there are.
    """
    num_seeds = len(seeds)
    near = np.empty(num_seeds, np.int64)
    within = np.empty(num_seeds)
    best = np.empty(side)
    owner = np.empty(side, np.int64)
    for top in range(0, height, side):
        bottom = min(top + side, height) - 1
        for left in range(0, width, side):
            right = min(left + side, width) - 1
            reach = np.inf
            for k in range(num_seeds):
                x, y = seeds[k, 0], seeds[k, 1]
                dx, dy = max(left - x, x - right, 0.0), max(top - y, y - bottom, 0.0)
                within[k] = (dx * dx + dy * dy) * _A_LITTLE_LESS
                dx, dy = max(x - left, right - x), max(y - top, bottom - y)
                reach = min(reach, dx * dx + dy * dy)
            count = 0
            for k in range(num_seeds):
                near[count] = k
                count += within[k] <= reach
            columns = right + 1 - left
            for row in range(top, bottom + 1):
                best[:columns] = np.inf
                for i in range(count):
                    x, y = seeds[near[i], 0], seeds[near[i], 1]
                    dy = row - y
                    for c in range(columns):
                        dx = (left + c) - x
                        distance = dx * dx + dy * dy
                        closer = distance < best[c]  # no branch: many pixels at a time
                        best[c] = distance if closer else best[c]
                        owner[c] = near[i] if closer else owner[c]
                here = cell[row * width + left : row * width + right + 1]
                for c in range(columns):
                    here[c] = owner[c]
    return renumber(cell, num_seeds)


@kernel
def renumber(cell: np.ndarray, num_seeds: int) -> int:
    """Number the cells that have pixels 0 … N − 1, in the order of their seeds; N."""
    number = np.zeros(num_seeds, np.int64)
    for k in cell:
        number[k] = 1
    count = 0
    for k in range(num_seeds):
        has_pixels = number[k]
        number[k] = count
        count += has_pixels
    for p in range(len(cell)):
        cell[p] = number[cell[p]]
    return count
