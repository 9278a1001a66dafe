"""Joint histograms under a Gaussian, region by region (METHOD 4.2, 4.3).

A pixel adds the outer product of a vertical and a horizontal kernel, β numbers each.
"""

import numpy as np

from spitgraph.extractors.interpolation.cpu.gaussians import gaussians
from spitgraph.extractors.interpolation.cpu.products import add_products
from spitgraph.kernels.cpu.jit import kernel

#: Outer products added in float32 before they go to the float64 total.
BLOCK = 64


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
    values: np.ndarray,
    first: int,
    last: int,
    centres: np.ndarray,
    vertical: np.ndarray,
    horizontal: np.ndarray,
    total: np.ndarray,
) -> None:
    """Σ of the kernels of two values of each of a region's pixels.

    Args:
        values: [HW, 2] float32, over √2·σ, sorted by region; the first one's bins are the rows.
        first: Where the region begins.
        last: Where the next one begins.
        centres: [P] float32, of the bins, over √2·σ.
        vertical: [BLOCK, P] float32, overwritten, as is `horizontal`.
        horizontal: See `vertical`.
        total: [P, P] float64, overwritten.
    """
    total[:] = 0.0
    for begin in range(first, last, BLOCK):
        count = min(BLOCK, last - begin)
        gaussians(values, 0, begin, count, centres, vertical)
        gaussians(values, 1, begin, count, centres, horizontal)
        add_products(vertical, horizontal, count, total)
