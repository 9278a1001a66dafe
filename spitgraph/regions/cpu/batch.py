"""What the regions of a batch look like: small images one a thread, large ones in bands of rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import numpy as np
import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from spitgraph.contraction.cpu.batch import LARGE, LARGE_OF_FEW, values_in_order
from spitgraph.contraction.cpu.connect import table_size
from spitgraph.kernels.cpu.interrupts import interruptible
from spitgraph.kernels.cpu.threads import for_each
from spitgraph.regions.cpu.borders import finish_image
from spitgraph.regions.cpu.measure import measure_rows
from spitgraph.regions.describe import Regions

_NO_BYTES, _NO_VALUES = np.empty(0, np.uint8), np.empty(0, np.float32)


@dataclass
class Task:
    """One image, and its part of the result.

    Attributes:
        values: [3, H·W] or [H, W, 3]; uint8 or float32.
        width: W.
        first_region: Number of its first region in the batch.
        cluster: [H·W] int64, region of each pixel, numbered over the batch.
        pixels: [H·W, 3] float32, written; and so are `size`, `bbox`, `pos` and `color`.
        edges: Its edges and their lengths, once they are known.
        parts: What each band of rows says, with boxes where there are several.
    """

    values: np.ndarray
    width: int
    first_region: int
    cluster: np.ndarray
    pixels: np.ndarray
    size: np.ndarray
    bbox: np.ndarray
    pos: np.ndarray
    color: np.ndarray
    edges: tuple[np.ndarray, np.ndarray] = field(init=False)
    parts: list[tuple[np.ndarray, ...]] = field(init=False, default_factory=list)

    def describe(self) -> None:
        """All of it, in the caller's thread."""
        self._measure(0, len(self.cluster), self.bbox)
        self._finish(*self.parts[0][1:])

    def describe_together(self) -> None:
        """The same by all threads, a band of rows each: every part holds sums of all regions."""
        area = len(self.cluster)
        rows = area // self.width
        band = -(-rows // torch.get_num_threads()) * self.width
        for_each(
            lambda begin: self._measure(begin, min(begin + band, area), np.empty_like(self.bbox)),
            range(0, area, band),
        )
        box, sums, pair, length = (list(several) for several in zip(*self.parts, strict=True))
        low, high = np.min(box, axis=0), np.max(box, axis=0)
        self.bbox[:, :2], self.bbox[:, 2:] = low[:, :2], high[:, 2:]
        self._finish(np.sum(sums, axis=0), np.concatenate(pair), np.concatenate(length))

    def _measure(self, begin: int, end: int, box: np.ndarray) -> None:
        is_8_bit, is_planar = self.values.dtype == np.uint8, self.values.ndim == 2
        values = self.values.reshape(-1)
        measured = measure_rows(
            self.cluster,
            self.first_region,
            values if is_8_bit else _NO_BYTES,
            _NO_VALUES if is_8_bit else values,
            1 if is_planar else 3,
            len(self.cluster) if is_planar else 1,
            self.width,
            begin,
            end,
            np.empty(table_size(self.width), np.int64),
            self.pixels,
            box,
        )
        self.parts.append((box, *measured))

    def _finish(self, sums: np.ndarray, pair: np.ndarray, length: np.ndarray) -> None:
        self.edges = finish_image(
            sums, pair, length, self.size, self.pos, self.color, self.first_region
        )


@interruptible
def describe_regions(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    cluster: Int64[Tensor, " P"],
    num_regions: Sequence[int],
) -> Regions:
    """Measure the regions of a batch; see `spitgraph.regions.describe.describe_regions`."""
    count = sum(num_regions)
    clusters = cluster.numpy()
    pixels = np.empty((len(clusters), 3), np.float32)
    size, bbox = np.empty(count, np.int64), np.empty((count, 4), np.int64)
    pos, color = np.empty((count, 2), np.float32), np.empty((count, 3), np.float32)
    of_pixels, of_regions = (clusters, pixels), (size, bbox, pos, color)
    areas = [image.shape[1] * image.shape[2] for image in images]
    tasks = [
        Task(
            values_in_order(image),
            image.shape[2],
            first,
            *[values[begin:end] for values in of_pixels],
            *[values[first:last] for values in of_regions],
        )
        for image, (begin, end), (first, last) in zip(
            images, ranges(areas), ranges(num_regions), strict=True
        )
    ]
    limit = LARGE if len(tasks) >= torch.get_num_threads() else LARGE_OF_FEW
    for_each(Task.describe, [task for task in tasks if len(task.cluster) <= limit])
    for task in tasks:
        if len(task.cluster) > limit:
            task.describe_together()
    ends, lengths = zip(*(task.edges for task in tasks), strict=True)
    is_alone = len(tasks) == 1
    described = (
        pixels,
        *of_regions,
        ends[0] if is_alone else np.concatenate(ends, axis=1),
        (lengths[0] if is_alone else np.concatenate(lengths))[:, None],
        np.array([len(length) for length in lengths], np.int64),
    )
    return Regions(*map(torch.from_numpy, described))


def ranges(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """[begin, end) of parts of these lengths, one behind the other."""
    return list(pairwise(accumulate(lengths, initial=0)))
