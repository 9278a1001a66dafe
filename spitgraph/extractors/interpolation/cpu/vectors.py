"""φ of a batch on the CPU: prepare every image's pixels, then describe its tokens (METHOD 4).

Many small images are one job each, so that an image is described while it is in a thread's cache.
Others are divided into parts, then into ranges of tokens. A token is one thread's, and pixels are
looked up in the same groups however an image is divided, so that neither batch nor threads change
a bit.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from spitgraph.extractors.interpolation.cpu.contrast import adjust_contrast, normalise
from spitgraph.extractors.interpolation.cpu.describe import describe_tokens
from spitgraph.extractors.interpolation.cpu.gaussians import TILE
from spitgraph.extractors.interpolation.cpu.runs import find_runs, sort_pixels, sort_runs
from spitgraph.extractors.interpolation.cpu.texture import gradients
from spitgraph.extractors.interpolation.histogram import bin_centres, gaussian
from spitgraph.kernels.cpu.memory import empty
from spitgraph.kernels.cpu.threads import for_each, jobs

#: Pixels of a job, about.
JOB = 2**14
#: What a token costs beyond its pixels, in pixels.
TOKEN_COST = 64
#: An image of at most so many pixels is one job where there are so many of them for each thread.
SMALL, MANY = 2**18, 4

#: Kernels of the coordinates [max(H, W), P] float32, and their running sum from 0 on, float64.
Positions = tuple[np.ndarray, np.ndarray]
Job = Callable[[], None]


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
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
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
        mean: With `std`, what plain colour is normalised by, three numbers each.
        std: See `mean`.

    Raises:
        ValueError: `cluster` or `bbox` reaches beyond an image.
    """
    channels = 4 + gradient
    x = empty(size.numel(), channels * bins * bins, dtype=np.float32)
    scale = np.float32(min(0.5**0.5 / sigma, np.finfo(np.float32).max))
    centres = scaled_centres(bins, scale)
    statistics = None if mean is None else np.array([mean, std], np.float32)
    areas = [height * width for height, width in zip(heights, widths, strict=True)]
    images = []
    first = 0
    for height, width, *parts in zip(
        heights,
        widths,
        *(values.contiguous().split(areas) for values in (pixels, cluster)),
        *(values.contiguous().split(counts) for values in (size, bbox)),
        x.view(-1, bins, bins, channels).split(counts),
        strict=True,
    ):
        tables = *position_kernels(max(height, width), bins, sigma), centres
        arrays = (part.numpy() for part in parts)
        work = ImageVectors(height, width, first, scale, tables, mode == "nearest", *arrays)
        work.statistics = statistics
        images.append(work)
        first += images[-1].num_tokens
    small, large = [], images
    if sum(area <= SMALL for area in areas) >= MANY * torch.get_num_threads():
        small = [image for image in images if len(image.cluster) <= SMALL]
        large = [image for image in images if len(image.cluster) > SMALL]
    for phase in PHASES:
        for_each(_call, [job for image in large for job in phase(image)])
    for_each(ImageVectors.describe, small)
    return x


class ImageVectors:
    """The work on one image.

    Args:
        height: H.
        width: W.
        first: Number of its first token in the batch.
        scale: 1 / (√2·σ) of the histograms' Gaussian.
        tables: See `describe_tokens`: rows, columns and centres.
        nearest: Whether colour is not interpolated.
        pixels: [HW, 3] float32.
        cluster: [HW] int64, numbered from `first`.
        size: [N] int64.
        bbox: [N, 4] int64.
        vectors: [N, β, β, C] float32, filled.

    Attributes:
        statistics: [2, 3] float32, mean and deviation that colour is normalised by; by default it
            is contrast-adjusted.
    """

    statistics: np.ndarray | None = None

    def __init__(
        self,
        height: int,
        width: int,
        first: int,
        scale: np.float32,
        tables: tuple[np.ndarray, ...],
        nearest: bool,
        pixels: np.ndarray,
        cluster: np.ndarray,
        size: np.ndarray,
        bbox: np.ndarray,
        vectors: np.ndarray,
    ) -> None:
        self.height, self.width, self.first = height, width, first
        self.pixels, self.cluster, self.size, self.bbox = pixels, cluster, size, bbox
        self.vectors, self.scale, self.tables, self.nearest = vectors, scale, tables, nearest
        self.num_tokens, self.has_gradient = len(vectors), vectors.shape[3] == 5

    def describe(self) -> None:
        """All of it, in the caller's thread."""
        self._allocate()
        self._sort()
        self._adjust(0, len(self.cluster))
        if self.has_gradient:
            self._gradients(0, self.height)
        self._describe(0, self.num_tokens)
        del self.colour, self.texture, self.region, self.place

    def pixel_jobs(self) -> list[Job]:
        """Whose the pixels are, and their colours."""
        self._allocate()
        return [self._sort, *(partial(self._adjust, *part) for part in jobs(len(self.cluster)))]

    def texture_jobs(self) -> list[Job]:
        """Gradients, sorted by token."""
        rows, height = max(1, JOB // self.width), self.height if self.has_gradient else 0
        return [partial(self._gradients, y, min(y + rows, height)) for y in range(0, height, rows)]

    def token_jobs(self) -> list[Job]:
        """The vectors, tokens side by side."""
        cost = np.cumsum(self.size + TOKEN_COST)
        ends = np.searchsorted(cost, np.arange(JOB, cost[-1], JOB)).tolist() + [len(cost)]
        return [
            partial(self._describe, begin, end)
            for begin, end in zip([0, *ends[:-1]], ends, strict=True)
            if begin < end
        ]

    def _allocate(self) -> None:
        num_pixels = len(self.cluster)
        self.region = np.empty(num_pixels, np.int32)
        self.colour = np.empty(3 * num_pixels + 1, np.float32)
        self.texture = np.empty((num_pixels if self.has_gradient else 0, 2), np.float32)

    def _sort(self) -> None:
        low, high = self.bbox[:, :2], self.bbox[:, 2:]
        if not ((low >= 0) & (low < high) & (high <= (self.width, self.height))).all():
            raise ValueError("bbox reaches beyond the image")
        begin = np.empty(len(self.cluster) + 1, np.int32)
        num_runs = find_runs(
            self.cluster, self.width, self.first, self.num_tokens, self.region, begin
        )
        if num_runs < 0:
            raise ValueError("cluster reaches beyond the image's tokens")
        self.first_run, self.first_pixel = np.zeros((2, self.num_tokens + 1), np.int64)
        self.start, self.stop = np.empty((2, num_runs), np.int32)
        sort_runs(self.region, begin, self.first_run, self.first_pixel, self.start, self.stop)
        self.place = begin[:-1]  # which nobody needs any more
        if self.has_gradient:
            sort_pixels(self.region, self.first_pixel, self.place)

    def _adjust(self, begin: int, end: int) -> None:
        part = slice(begin, end)  # begins with a group of pixels that are looked up together
        pixels, colour = self.pixels[part], self.colour[:-1].reshape(-1, 3)[part]
        if self.statistics is None:
            adjust_contrast(pixels, colour)
        else:
            normalise(pixels, self.statistics, colour)

    def _gradients(self, first: int, last: int) -> None:
        gradients(self.pixels, self.width, first, last, self.scale, self.place, self.texture)

    def _describe(self, begin: int, end: int) -> None:
        describe_tokens(
            self.colour,
            self.region,
            self.width,
            self.texture,
            self.start,
            self.stop,
            self.first_run[begin : end + 1],
            self.first_pixel[begin : end + 1],
            self.size[begin:end],
            self.bbox[begin:end],
            begin,
            *self.tables,
            self.nearest,
            self.vectors[begin:end],
        )


#: What has to be done on every image before the next is begun.
PHASES = (ImageVectors.pixel_jobs, ImageVectors.texture_jobs, ImageVectors.token_jobs)


@lru_cache(maxsize=16)
def position_kernels(longest: int, bins: int, sigma: float) -> Positions:
    """Gaussian of each coordinate of an image whose longer side is given, and its running sum."""
    position = 2 * torch.arange(longest, dtype=torch.float64, device="cpu") / longest - 1
    kernels = padded(gaussian(position, bins, sigma))
    before = np.zeros((longest + 1, kernels.shape[1]))
    np.cumsum(kernels, axis=0, dtype=np.float64, out=before[1:])
    return kernels, before


@lru_cache(maxsize=16)
def scaled_centres(bins: int, scale: np.float32) -> np.ndarray:
    """Centres of the bins over √2·σ, [P] float32."""
    return padded(bin_centres(bins, torch.empty(0, dtype=torch.float32, device="cpu"))) * scale


def padded(values: Tensor) -> np.ndarray:
    """Values [..., β] in float32 with zeros up to whole tiles of bins."""
    missing = -values.shape[-1] % TILE
    return torch.nn.functional.pad(values.float(), (0, missing)).numpy()


def _call(job: Job) -> None:
    job()
