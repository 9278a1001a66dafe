"""Joint histograms under a Gaussian, region by region (METHOD 4.2, 4.3).

A pixel adds the outer product of a vertical and a horizontal kernel, β numbers each.
"""

import numpy as np

from spitgraph.kernels.cpu.elementary import exp_minus
from spitgraph.kernels.cpu.products import TILE, add_products
from spitgraph.kernels.cpu.threads import kernel

#: Outer products added in float32 before they go to the float64 total.
BLOCK = 64
#: As in the plain version: beyond lie denormal numbers.
_CUTOFF = np.float32(40)


@kernel
def position_histogram(
    start: np.ndarray,
    stop: np.ndarray,
    width: int,
    rows: np.ndarray,
    columns: np.ndarray,
    vertical: np.ndarray,
    horizontal: np.ndarray,
    total: np.ndarray,
) -> None:
    """Σ of the kernels of a region's positions: a run of pixels adds one product.

    Args:
        start: First pixel of each of the region's runs.
        stop: Pixel after the last.
        width: W.
        rows: [max(H, W), P] float32, kernel of each coordinate; P is β in whole tiles.
        columns: [max(H, W) + 1, P] float64, sum of the kernels of all smaller coordinates.
        vertical: [BLOCK, P] float32, overwritten, as is `horizontal`.
        horizontal: See `vertical`.
        total: [P, P] float64, overwritten.
    """
    total[:] = 0.0
    for first in range(0, len(start), BLOCK):
        count = min(BLOCK, len(start) - first)
        for p in range(count):
            y = np.uint32(start[first + p]) // np.uint32(width)
            left, right = start[first + p] - y * width, stop[first + p] - y * width
            for k in range(rows.shape[1]):
                vertical[p, k] = rows[y, k]
                horizontal[p, k] = columns[right, k] - columns[left, k]
        add_products(vertical, horizontal, count, total)


@kernel
def value_histogram(
    start: np.ndarray,
    stop: np.ndarray,
    values: np.ndarray,
    centres: np.ndarray,
    vertical: np.ndarray,
    horizontal: np.ndarray,
    total: np.ndarray,
) -> None:
    """Σ of the kernels of two values of each of a region's pixels.

    Args:
        start: First pixel of each of the region's runs.
        stop: Pixel after the last.
        values: [2, HW] float32, over √2·σ; the first one's bins are the rows.
        centres: [P] float32, of the bins, over √2·σ.
        vertical: [BLOCK, P] float32, overwritten, as is `horizontal`.
        horizontal: See `vertical`.
        total: [P, P] float64, overwritten.
    """
    total[:] = 0.0
    down, across = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    count = 0
    for r in range(len(start)):
        for pixel in range(start[r], stop[r]):
            down[count], across[count] = values[0, pixel], values[1, pixel]
            count += 1
            if count == BLOCK:
                add_block(down, across, count, centres, vertical, horizontal, total)
                count = 0
    add_block(down, across, count, centres, vertical, horizontal, total)


@kernel
def add_block(
    down: np.ndarray,
    across: np.ndarray,
    count: int,
    centres: np.ndarray,
    vertical: np.ndarray,
    horizontal: np.ndarray,
    total: np.ndarray,
) -> None:
    """Add the products of the kernels of the first `count` values to `total`."""
    gaussians(down[:count], centres, vertical)
    gaussians(across[:count], centres, horizontal)
    add_products(vertical, horizontal, count, total)


@kernel
def gaussians(values: np.ndarray, centres: np.ndarray, result: np.ndarray) -> None:
    """exp(−(v − b)²) of every value and every centre b."""
    for i in range(0, len(centres), TILE):
        near = centres[i : i + TILE]
        for p in range(len(values)):
            value, into = values[p], result[p, i : i + TILE]
            for k in range(TILE):
                offset = value - near[k]
                into[k] = exp_minus(min(offset * offset, _CUTOFF))
