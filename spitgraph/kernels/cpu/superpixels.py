"""τ for a batch of images, from pixels to the tensors of their token graphs.

Small images go to one thread each, which does everything while the image is in its cache. On a
large one all threads work together, step by step.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int32
from torch import Tensor

from spitgraph.kernels.cpu.assemble import finish_pixels, follow, interleave, token_of_region
from spitgraph.kernels.cpu.colour import lab_pixels
from spitgraph.kernels.cpu.connect import table_size
from spitgraph.kernels.cpu.hierarchy import Image, Work, assist, contract_image, working_memory
from spitgraph.kernels.cpu.memory import empty, views_of_one_block
from spitgraph.kernels.cpu.regions import Part, describe_image, measure_rows
from spitgraph.kernels.cpu.team import HOME, open_phase
from spitgraph.kernels.cpu.threads import JOB, for_each, jobs
from spitgraph.kernels.cpu.weights import CODES

#: Images of more pixels are worked on by all threads together.
LARGE = 2**19
#: Chunks of an image, at most: more would be lost on what joins them.
MOST_CHUNKS = 64


@dataclass
class Task:
    """One image, and what becomes of it.

    Attributes:
        channels: [3, H, W] or, as pictures come from files, [H, W, 3] float32.
        steps: [C, H·W] int32, quantised features; None for those of `"lab"`.
        pixels: [H·W, 3] float32, written.
        cluster: [H·W] int64, written; tokens numbered within the image until the batch is complete.
        labels: [H·W] uint32, written: regions of level 1.
        height: H.
        width: W.
        deep: Parent maps of the levels from 1 on, one after the other.
        counts: Regions of each level, from 0 to the last.
        parts: See `regions.Part`.
        regions: Sizes, boxes, centroids and colours of the tokens.
        edges: Edges and their lengths.
    """

    channels: np.ndarray
    steps: np.ndarray | None
    pixels: np.ndarray
    cluster: np.ndarray
    labels: np.ndarray
    height: int
    width: int
    deep: np.ndarray = field(init=False)
    counts: np.ndarray = field(init=False)
    parts: list[Part] = field(default_factory=list)
    regions: tuple[np.ndarray, ...] = field(init=False)
    edges: tuple[np.ndarray, np.ndarray] = field(init=False)

    @property
    def num_tokens(self) -> int:
        """N."""
        return int(self.counts[-1])

    def flatten(self, begin: int, end: int) -> None:
        """Write the pixels in [begin, end)."""
        if self.channels.shape[0] == 3 and self.channels.ndim == 2:
            interleave(self.channels, self.pixels, begin, end)
        else:
            self.pixels[begin:end] = self.channels.reshape(-1, 3)[begin:end]

    def measure(self, begin: int, end: int) -> None:
        """Measure the tokens as far as they lie in the rows of the pixels in [begin, end)."""
        table = np.empty(table_size(self.width), np.int64)
        part = measure_rows(
            self.cluster, self.pixels, self.width, begin, end, self.num_tokens, table
        )
        self.parts.append(Part(*part))

    def describe(self) -> None:
        """Put together what was measured."""
        sums, box, pair, length = self.parts[0]
        if len(self.parts) > 1:
            several = list(zip(*self.parts, strict=True))
            sums = np.sum(several[0], axis=0)
            low, high = (np.stack(several[1])[:, :, k] for k in (slice(2), slice(2, 4)))
            box = np.concatenate([low.min(axis=0), high.max(axis=0)], axis=1)
            pair, length = np.concatenate(several[2]), np.concatenate(several[3])
        size = np.empty(self.num_tokens, np.int64)
        pos, color = np.empty((len(size), 2), np.float32), np.empty((len(size), 3), np.float32)
        self.edges = describe_image(sums, box, pair, length, size, pos, color)
        self.regions = size, box, pos, color


@dataclass(frozen=True)
class Wanted:
    """How images are contracted; see `spitgraph.kernels.operators.superpixels`."""

    levels: int
    num_regions: int
    code: int
    compactness: float

    def image(self, task: Task, steps: np.ndarray) -> Image:
        """What the kernels take."""
        return Image(steps, task.height, task.width, self.code, self.compactness)

    def memory(self, pixels: int, width: int, channels: int, chunks: int, threads: int) -> Work:
        """Working memory for images of up to so many pixels."""
        boxes = self.compactness != 0
        return working_memory(pixels, width, self.num_regions, channels, boxes, chunks, threads)


def superpixels(
    images: Sequence[Float[Tensor, "3 _H _W"]],
    steps: Int32[Tensor, "C P"] | None,
    levels: int,
    num_regions: int,
    similarity: str,
    compactness: float,
) -> tuple[Tensor, ...]:
    """Token graphs of a batch; see `spitgraph.kernels.operators.superpixels`."""
    wanted = Wanted(levels, num_regions, CODES[similarity], compactness)
    tasks, pixels, cluster = prepared(images, steps)
    channels = 3 if steps is None else len(steps)
    small = [task for task in tasks if len(task.labels) <= LARGE]
    waiting = iter(small)  # `next` of a list's iterator is atomic
    threads = min(torch.get_num_threads(), len(small))
    for_each(lambda _: work_alone(waiting, small, wanted, channels), range(threads))
    for task in tasks:
        if len(task.labels) > LARGE:
            work_together(task, wanted, channels)
    return (pixels, cluster, *assembled(tasks, cluster.numpy()))


def prepared(
    images: Sequence[Float[Tensor, "3 _H _W"]], steps: Int32[Tensor, "C P"] | None
) -> tuple[list[Task], Tensor, Tensor]:
    """The tasks, and the tensors of pixels and clusters that they fill."""
    areas = [image.shape[1] * image.shape[2] for image in images]
    pixels = empty(sum(areas), 3, dtype=np.float32)
    cluster = empty(sum(areas), dtype=np.int64)
    labels = views_of_one_block([(np.uint32, (area,)) for area in areas])
    features = None if steps is None else steps.numpy()
    tasks, start = [], 0
    for image, area, label in zip(images, areas, labels, strict=True):
        here = slice(start, start + area)
        start += area
        rows = image.permute(1, 2, 0)
        whole = rows if rows.is_contiguous() else image.contiguous().view(3, -1)
        task = Task(
            channels=whole.numpy(),
            steps=None if features is None else np.ascontiguousarray(features[:, here]),
            pixels=pixels[here].numpy(),
            cluster=cluster[here].numpy(),
            labels=label,
            height=image.shape[1],
            width=image.shape[2],
        )
        tasks.append(task)
    return tasks, pixels, cluster


def work_alone(waiting: Iterator[Task], small: list[Task], wanted: Wanted, channels: int) -> None:
    """One thread: whole images, as long as there are any."""
    most = max(len(task.labels) for task in small)
    work = wanted.memory(most, max(task.width for task in small), channels, 1, 1)
    scratch = np.empty(3 * most, np.int32)
    for task in waiting:
        area = len(task.labels)
        steps = task.steps
        task.flatten(0, area)
        if steps is None:
            steps = scratch[: 3 * area].reshape(3, area)
            lab_pixels(task.pixels, steps, 0, area)
        image = wanted.image(task, steps)
        task.deep, task.counts = contract_image(
            image, work, task.labels, wanted.levels, wanted.num_regions
        )
        if len(task.counts) == 1:  # nothing to contract: pixels are tokens
            task.labels[:] = np.arange(area)
        follow(task.labels, token_of_region(task.deep, task.counts), task.cluster, 0, area)
        task.measure(0, area)
        task.describe()


def work_together(task: Task, wanted: Wanted, channels: int) -> None:
    """All threads: one image, step by step."""
    area, threads = len(task.labels), torch.get_num_threads()
    pieces = jobs(area)
    for_each(lambda job: task.flatten(*job), pieces)
    steps = task.steps
    if steps is None:
        steps = np.empty((3, area), np.int32)
        for_each(partial(_call, lab_pixels, task.pixels, steps), pieces)
    image = wanted.image(task, steps)
    chunks = max(1, min(task.height, area // JOB, MOST_CHUNKS))
    work = wanted.memory(area, task.width, channels, chunks, threads)

    def contribute(worker: int) -> None:
        if worker > 0:
            return assist(image, work, task.labels, worker)
        try:
            task.deep, task.counts = contract_image(
                image, work, task.labels, wanted.levels, wanted.num_regions
            )
        finally:  # whatever happens, nobody waits for more
            open_phase(work.board, HOME)

    for_each(contribute, range(threads))
    if len(task.counts) == 1:
        task.labels[:] = np.arange(area)
    token = token_of_region(task.deep, task.counts)
    for_each(partial(_call, follow, task.labels, token, task.cluster), pieces)
    # every part holds sums for all tokens, so there are no more than threads
    rows = -(-task.height // threads) * task.width
    for_each(lambda begin: task.measure(begin, min(begin + rows, area)), range(0, area, rows))
    task.describe()


def _call(function: Callable[..., None], *arguments: Any) -> None:
    *others, job = arguments
    function(*others, *job)


def assembled(tasks: list[Task], cluster: np.ndarray) -> tuple[Tensor, ...]:
    """Hierarchies and regions of all images, one image after the other, numbered over the batch."""
    counts = [task.num_tokens for task in tasks]
    firsts = list(accumulate(counts, initial=0))
    mapped = [len(task.deep) + len(task.labels) * (len(task.counts) > 1) for task in tasks]
    hierarchy = empty(sum(mapped), dtype=np.int64)
    nodes = hierarchy.numpy()
    finishing = []
    start = 0
    for task, first, length in zip(tasks, firsts[:-1], mapped, strict=True):
        area = len(task.labels)
        parent = nodes[start : start + area]
        if length:
            nodes[start + area : start + length] = task.deep
        else:
            parent = np.empty(area, np.int64)  # there is no level to write
        start += length
        finishing += [(task.labels, parent, task.cluster, first, *job) for job in jobs(area)]
        task.edges[0][:] += first
    for_each(lambda job: finish_pixels(*job), finishing)

    def joined(parts: Sequence[np.ndarray], axis: int = 0) -> Tensor:
        return torch.from_numpy(np.concatenate(parts, axis=axis))

    size, bbox, pos, color = (
        joined(parts) for parts in zip(*(task.regions for task in tasks), strict=True)
    )
    edge_index, lengths = zip(*(task.edges for task in tasks), strict=True)
    return (
        hierarchy,
        joined([task.counts[:-1] for task in tasks]),
        torch.tensor([len(task.counts) - 1 for task in tasks]),
        torch.tensor(counts),
        size,
        bbox,
        pos,
        color,
        joined(edge_index, axis=1),
        joined(lengths)[:, None],
        torch.tensor([len(length) for length in lengths]),
    )
