"""Colour of a region, stretched to β×β samples (METHOD 4.1)."""

import numpy as np

from spitgraph.kernels.cpu.threads import kernel

_ZERO, _ONE = np.float32(0), np.float32(1)


@kernel
def bilinear_samples(
    colour: np.ndarray,
    cluster: np.ndarray,
    region: int,
    bbox: np.ndarray,
    vector: np.ndarray,
) -> None:
    """Bilinear colour times bilinear mask at every position.

    Args:
        colour: [H, W, 3], contrast adjusted.
        cluster: [H, W], region of each pixel.
        region: Which one.
        bbox: (x_min, y_min, x_max, y_max) of the region, max exclusive.
        vector: [β, β, C], of which the first three channels are filled.
    """
    bins = vector.shape[0]
    left, right = np.empty(bins, np.uint32), np.empty(bins, np.uint32)
    dx = np.empty(bins, np.float32)
    for j in range(bins):
        x = position(bbox[0], bbox[2] - 1, j, bins)
        left[j] = np.uint32(x)
        right[j] = min(left[j] + 1, colour.shape[1] - 1)
        dx[j] = x - np.float64(left[j])
    for i in range(bins):
        y = position(bbox[1], bbox[3] - 1, i, bins)
        top = np.uint32(y)
        dy = np.float32(y - np.float64(top))
        bottom = np.uint32(min(top + 1, colour.shape[0] - 1))
        above, below = colour[top], colour[bottom]
        own_above, own_below = cluster[top], cluster[bottom]
        for j in range(bins):
            x0, x1 = left[j], right[j]
            w00, w01 = (_ONE - dy) * (_ONE - dx[j]), (_ONE - dy) * dx[j]
            w10, w11 = dy * (_ONE - dx[j]), dy * dx[j]
            mask = w00 if own_above[x0] == region else _ZERO
            mask += w01 if own_above[x1] == region else _ZERO
            mask += w10 if own_below[x0] == region else _ZERO
            mask += w11 if own_below[x1] == region else _ZERO
            for c in range(3):
                total = w00 * above[x0, c] + w01 * above[x1, c]
                total = total + w10 * below[x0, c] + w11 * below[x1, c]
                vector[i, j, c] = total * mask


@kernel
def nearest_samples(
    colour: np.ndarray,
    cluster: np.ndarray,
    region: int,
    bbox: np.ndarray,
    vector: np.ndarray,
) -> None:
    """Colour of the pixel nearest to every position, 0 where it is another region's.

    The arguments are those of `bilinear_samples`.
    """
    bins = vector.shape[0]
    column = np.empty(bins, np.uint32)
    for j in range(bins):
        column[j] = np.uint32(np.rint(position(bbox[0], bbox[2] - 1, j, bins)))
    for i in range(bins):
        y = np.uint32(np.rint(position(bbox[1], bbox[3] - 1, i, bins)))
        row, own = colour[y], cluster[y]
        for j in range(bins):
            x = column[j]
            for c in range(3):
                vector[i, j, c] = row[x, c] if own[x] == region else _ZERO


@kernel
def position(low: int, high: int, k: int, bins: int) -> float:
    """The k-th of β positions from low to high, rounded as in the plain version."""
    return low + np.float64(k * (high - low)) / (bins - 1)
