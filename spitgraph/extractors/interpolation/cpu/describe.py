"""The vectors of some tokens of an image, from its prepared pixels (METHOD 4)."""

import numpy as np

from spitgraph.extractors.interpolation.cpu.histograms import (
    BLOCK,
    position_histogram,
    value_histogram,
)
from spitgraph.extractors.interpolation.cpu.samples import bilinear_samples, nearest_samples
from spitgraph.kernels.cpu.jit import kernel


@kernel
def describe_tokens(
    colour: np.ndarray,
    region: np.ndarray,
    width: int,
    texture: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    first_run: np.ndarray,
    first_pixel: np.ndarray,
    size: np.ndarray,
    bbox: np.ndarray,
    first: int,
    rows: np.ndarray,
    columns: np.ndarray,
    centres: np.ndarray,
    nearest: bool,
    vectors: np.ndarray,
) -> None:
    """Vectors [n, β, β, C] of some tokens of an image, numbered from `first`.

    Args:
        colour: [HW · 3 + 1] float32, prepared; the last is any number.
        region: [HW] int32, token of each pixel.
        width: W.
        texture: [HW, 2] float32, gradients over √2·σ, sorted by token.
        start: First pixel of every run of the image, sorted by token.
        stop: Pixel after the last.
        first_run: [n + 1], each token's first run, and the one after the last token's last.
        first_pixel: [n + 1], each token's first place in `texture`, likewise.
        size: [n], pixels.
        bbox: [n, 4].
        first: Number of the first token.
        rows: [max(H, W), P] float32, kernel of each coordinate.
        columns: [max(H, W) + 1, P] float64, sums of the kernels of all smaller ones.
        centres: [P] float32, centres of the bins over √2·σ.
        nearest: Whether colour is not interpolated.
        vectors: Filled.
    """
    bins, channels = vectors.shape[1], vectors.shape[3]
    vertical = np.empty((BLOCK, len(centres)), np.float32)
    horizontal = np.empty((BLOCK, len(centres)), np.float32)
    total = np.empty((len(centres), len(centres)))
    for n in range(len(size)):
        vector = vectors[n]
        if nearest:
            nearest_samples(colour, region, width, first + n, bbox[n], vector)
        else:
            bilinear_samples(colour, region, width, first + n, bbox[n], vector)
        weight = 4.0 * (16.0 / bins) ** 2 / size[n]
        runs = slice(first_run[n], first_run[n + 1])
        position_histogram(
            start[runs], stop[runs], width, rows, columns, vertical, horizontal, total
        )
        for i in range(bins):
            for j in range(bins):
                vector[i, j, 3] = total[i, j] * weight
        if channels == 5:
            begin, end = first_pixel[n], first_pixel[n + 1]
            value_histogram(texture, begin, end, centres, vertical, horizontal, total)
            for i in range(bins):
                for j in range(bins):
                    vector[i, j, 4] = total[i, j] * weight
