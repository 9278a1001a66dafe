"""Gradients of every pixel (METHOD 4.3), row by row in float64: asinh magnifies rounding."""

import math

import numpy as np

from spitgraph.kernels.cpu.elementary import log
from spitgraph.kernels.cpu.jit import kernel
from spitgraph.pixels import GRADIENT_CONTRAST

_SCALE = 1 / math.asinh(GRADIENT_CONTRAST)


@kernel
def gradients(
    pixels: np.ndarray,
    width: int,
    first: int,
    last: int,
    scale: np.float32,
    place: np.ndarray,
    texture: np.ndarray,
) -> None:
    """Contrast-adjusted Scharr gradients (∇y, ∇x) of the rows first … last − 1.

    Args:
        pixels: [HW, 3] of the whole image.
        width: W.
        first: First row.
        last: Row after the last.
        scale: What the results are multiplied by, once they are float32.
        place: [HW] int32, where each pixel's results go.
        texture: [HW, 2] float32, filled in these places.
    """
    height = len(pixels) // width
    grey = np.empty((3, width + 2))  # rows y − 1, y, y + 1 at y mod 3, borders replicated
    along = np.empty(width + 2)
    dy, dx = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(first - 1, first + 1):
        mean_channel(pixels, width, min(max(y, 0), height - 1), grey[(y + 3) % 3])
    for y in range(first, last):
        mean_channel(pixels, width, min(y + 1, height - 1), grey[(y + 1) % 3])
        above, centre, below = grey[(y + 2) % 3], grey[y % 3], grey[(y + 1) % 3]
        for x in range(width + 2):
            along[x] = 3.0 * above[x] + 10.0 * centre[x] + 3.0 * below[x]
        for x in range(width):
            after = 3.0 * below[x] + 10.0 * below[x + 1] + 3.0 * below[x + 2]
            before = 3.0 * above[x] + 10.0 * above[x + 1] + 3.0 * above[x + 2]
            dy[x] = np.float32(asinh_contrast((after - before) / 16.0)) * scale
            dx[x] = np.float32(asinh_contrast((along[x + 2] - along[x]) / 16.0)) * scale
        to = place[y * width : (y + 1) * width]
        for x in range(width):
            texture[np.uint32(to[x]), 0], texture[np.uint32(to[x]), 1] = dy[x], dx[x]


@kernel
def mean_channel(pixels: np.ndarray, width: int, y: int, grey: np.ndarray) -> None:
    """Mean of red, green and blue of row y, [W + 2] with its ends repeated."""
    row, inner = pixels[y * width : (y + 1) * width], grey[1 : width + 1]
    for x in range(width):
        total = np.float64(row[x, 0]) + np.float64(row[x, 1]) + np.float64(row[x, 2])
        inner[x] = total * (1 / 3)
    grey[0], grey[width + 1] = inner[0], inner[width - 1]


@kernel
def asinh_contrast(x: float) -> float:
    """asinh(27.8·x) / asinh(27.8), absolutely to 1e-15."""
    z = abs(GRADIENT_CONTRAST * x)
    y = log(z + math.sqrt(z * z + 1.0)) * _SCALE
    return -y if x < 0.0 else y
