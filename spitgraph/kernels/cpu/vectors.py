"""φ of a batch on the CPU: prepare every image's pixels, then describe its tokens (METHOD 4).

Work is divided into bands of rows, then into ranges of tokens. The division depends on the image
alone and a token is one thread's, so that neither batch nor threads change a bit.
"""

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from spitgraph.extractors.histogram import bin_centres, gaussian
from spitgraph.kernels.cpu.contrast import adjust_contrast
from spitgraph.kernels.cpu.histograms import BLOCK, position_histogram, value_histogram
from spitgraph.kernels.cpu.memory import empty
from spitgraph.kernels.cpu.products import TILE
from spitgraph.kernels.cpu.runs import count_runs, sort_runs
from spitgraph.kernels.cpu.samples import bilinear_samples, nearest_samples
from spitgraph.kernels.cpu.texture import gradients
from spitgraph.kernels.cpu.threads import announce_compilation, for_each, kernel

#: Pixels of a job, about.
JOB = 2**14
#: What a token costs beyond its pixels, in pixels.
TOKEN_COST = 64

#: Kernels of the coordinates [max(H, W), P] float32, and their running sum from 0 on, float64.
Positions = tuple[np.ndarray, np.ndarray]


def token_vectors(
    pixels: Float32[Tensor, "pixels 3"],
    cluster: Int64[Tensor, " pixels"],
    size: Int64[Tensor, " N"],
    bbox: Int64[Tensor, "N 4"],
    heights: list[int],
    widths: list[int],
    counts: list[int],
    bins: int,
    sigma: float,
    gradient: bool,
    mode: str,
) -> Float32[Tensor, "N D"]:
    """Token vectors of a batch of images, as `InterpolationExtractor` describes them.

    Args:
        pixels: RGB in [0, 1], one image after the other.
        cluster: Token of each pixel, numbered over the batch.
        size: Pixels of each token.
        bbox: (x_min, y_min, x_max, y_max) of each token, max exclusive.
        heights: H of each image.
        widths: W of each image.
        counts: N of each image.
        bins: β ≥ 2.
        sigma: Standard deviation of the histograms' Gaussian.
        gradient: Whether there is a histogram of gradients.
        mode: `"bilinear"` or `"nearest"`.

    Raises:
        ValueError: `cluster` or `bbox` reaches beyond an image.
    """
    announce_compilation(adjust_contrast, "token vector")
    channels = 4 + gradient
    x = empty(size.numel(), channels * bins * bins, dtype=np.float32)
    scale = np.float32(min(0.5**0.5 / sigma, np.finfo(np.float32).max))
    centres = scaled_centres(bins, scale)
    images = []
    areas = [height * width for height, width in zip(heights, widths, strict=True)]
    first = 0
    for height, width, *parts in zip(
        heights,
        widths,
        *(values.contiguous().split(areas) for values in (pixels, cluster)),
        *(values.contiguous().split(counts) for values in (size, bbox)),
        x.view(-1, bins, bins, channels).split(counts),
        strict=True,
    ):
        image = ImageVectors(height, width, first, *(part.numpy() for part in parts))
        images.append(image)
        first += len(image.size)
    for_each(_call, [job for image in images for job in image.pixel_jobs(scale)])
    descriptions: list[Callable[[], None]] = []
    for image in images:
        positions = position_kernels(max(image.height, image.width), bins, sigma)
        descriptions += image.token_jobs(positions, centres, mode == "nearest")
    for_each(_call, descriptions)
    return x


class ImageVectors:
    """The work on one image.

    Args:
        height: H.
        width: W.
        first: Number of its first token in the batch.
        pixels: [HW, 3] float32.
        cluster: [HW] int64, numbered from `first`.
        size: [N] int64.
        bbox: [N, 4] int64.
        vectors: [N, β, β, C] float32, filled.
    """

    def __init__(
        self,
        height: int,
        width: int,
        first: int,
        pixels: np.ndarray,
        cluster: np.ndarray,
        size: np.ndarray,
        bbox: np.ndarray,
        vectors: np.ndarray,
    ) -> None:
        self.height, self.width, self.first = height, width, first
        self.pixels, self.cluster, self.size, self.bbox = pixels, cluster, size, bbox
        self.vectors = vectors
        self.colour = np.empty_like(pixels)
        self.texture = np.empty((2, len(pixels) if vectors.shape[3] == 5 else 0), np.float32)

    def pixel_jobs(self, scale: np.float32) -> list[Callable[[], None]]:
        """What is to be known of the pixels, rows side by side."""
        rows = max(1, JOB // self.width)
        return [
            self._sort,
            *(
                partial(self._prepare, scale, y, min(y + rows, self.height))
                for y in range(0, self.height, rows)
            ),
        ]

    def _prepare(self, scale: np.float32, first: int, last: int) -> None:
        part = slice(first * self.width, last * self.width)
        adjust_contrast(self.pixels[part], self.colour[part])
        if self.texture.size:
            gradients(self.pixels, self.width, first, last, scale, *self.texture)

    def _sort(self) -> None:
        low, high = self.bbox[:, :2], self.bbox[:, 2:]
        if not ((low >= 0) & (low < high) & (high <= (self.width, self.height))).all():
            raise ValueError("bbox reaches beyond the image")
        bounds = np.zeros(len(self.size) + 1, np.int64)
        if not count_runs(self.cluster, self.width, self.first, bounds):
            raise ValueError("cluster reaches beyond the image's tokens")
        self.start, self.stop = np.empty((2, bounds[-1]), np.int32)
        sort_runs(self.cluster, self.width, self.first, bounds[:-1].copy(), self.start, self.stop)
        self.bounds = bounds

    def token_jobs(
        self, positions: Positions, centres: np.ndarray, nearest: bool
    ) -> list[Callable[[], None]]:
        """The vectors, tokens side by side."""
        cost = np.cumsum(self.size + TOKEN_COST)
        ends = np.searchsorted(cost, np.arange(JOB, cost[-1], JOB)).tolist() + [len(cost)]
        return [
            partial(self._describe, positions, centres, nearest, begin, end)
            for begin, end in zip([0, *ends[:-1]], ends, strict=True)
            if begin < end
        ]

    def _describe(
        self, positions: Positions, centres: np.ndarray, nearest: bool, begin: int, end: int
    ) -> None:
        describe_tokens(
            self.colour.reshape(self.height, self.width, 3),
            self.cluster.reshape(self.height, self.width),
            self.texture,
            self.start,
            self.stop,
            self.bounds[begin : end + 1],
            self.size[begin:end],
            self.bbox[begin:end],
            self.first + begin,
            *positions,
            centres,
            nearest,
            self.vectors[begin:end],
        )


@lru_cache(maxsize=16)
def position_kernels(longest: int, bins: int, sigma: float) -> Positions:
    """Gaussian of each coordinate of an image whose longer side is given, and its running sum."""
    position = 2 * torch.arange(longest, dtype=torch.float64) / longest - 1
    kernels = padded(gaussian(position, bins, sigma))
    before = np.zeros((longest + 1, kernels.shape[1]))
    np.cumsum(kernels, axis=0, dtype=np.float64, out=before[1:])
    return kernels, before


@lru_cache(maxsize=16)
def scaled_centres(bins: int, scale: np.float32) -> np.ndarray:
    """Centres of the bins over √2·σ, [P] float32."""
    return padded(bin_centres(bins, torch.empty(0))) * scale


def padded(values: Tensor) -> np.ndarray:
    """Values [..., β] in float32 with zeros up to whole tiles of bins."""
    missing = -values.shape[-1] % TILE
    return torch.nn.functional.pad(values.float(), (0, missing)).numpy()


def _call(job: Callable[[], None]) -> None:
    job()


@kernel
def describe_tokens(
    colour: np.ndarray,
    cluster: np.ndarray,
    texture: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    bounds: np.ndarray,
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
        colour: [H, W, 3] float32, contrast adjusted.
        cluster: [H, W] int64.
        texture: [2, HW] float32, gradients over √2·σ.
        start: First pixel of every run of the image.
        stop: Pixel after the last.
        bounds: [n + 1], each token's first run and the one after its last.
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
            nearest_samples(colour, cluster, first + n, bbox[n], vector)
        else:
            bilinear_samples(colour, cluster, first + n, bbox[n], vector)
        weight = 4.0 * (16.0 / bins) ** 2 / size[n]
        begin, end = start[bounds[n] : bounds[n + 1]], stop[bounds[n] : bounds[n + 1]]
        width = colour.shape[1]
        position_histogram(begin, end, width, rows, columns, vertical, horizontal, total)
        for i in range(bins):
            for j in range(bins):
                vector[i, j, 3] = total[i, j] * weight
        if channels == 5:
            value_histogram(begin, end, texture, centres, vertical, horizontal, total)
            for i in range(bins):
                for j in range(bins):
                    vector[i, j, 4] = total[i, j] * weight
