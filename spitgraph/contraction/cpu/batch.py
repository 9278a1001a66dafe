"""τ for a batch of images, from pixels to the tensors of their token graphs.

Small images are contracted by one thread each, while they are in its cache, and then measured by
whoever is free. On a large one all threads work together, step by step.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from jaxtyping import Int32, Shaped
from torch import Tensor

from spitgraph.contraction.cpu.assemble import finish_pixels, interleave, token_of_region
from spitgraph.contraction.cpu.colour import eight_bits, lab_of_values
from spitgraph.contraction.cpu.connect import table_size
from spitgraph.contraction.cpu.hierarchy import Image, Work, contract_image, working_memory
from spitgraph.contraction.cpu.weights import CODES
from spitgraph.kernels.cpu.memory import empty
from spitgraph.kernels.cpu.team import DONE, FAILED, HOME, open_phase
from spitgraph.kernels.cpu.threads import for_each, jobs
from spitgraph.regions.cpu import Part, describe_image, measure_rows

#: Images of more pixels are worked on by all threads together, in chunks; and those of more than
#: these, if there are too few to keep all threads busy.
LARGE, LARGE_OF_FEW = 2**19, 2**17
#: Chunks for each thread, unless these were of fewer or more pixels than this.
CHUNKS_A_THREAD, LEAST, MOST = 8, 2**14, 2**19
_NO_LEVELS = np.empty(0, np.uint8)
_NO_STEPS = np.empty((3, 0), np.int32)


@dataclass
class Task:
    """One image, and what becomes of it.

    Attributes:
        values: [3, H·W] or, as pictures come from files, [H, W, 3]; uint8 or float32.
        steps: [C, H·W] int32, quantised features; None for those of `"lab"`.
        pixels: [H·W, 3] float32, written.
        cluster: [H·W] int64, written.
        labels: [H·W] uint32, written: regions of level 1.
        height: H.
        width: W.
        deep: Parent maps of the levels from 1 on, one after the other.
        counts: Regions of each level, from 0 to the last.
        token: Token of each region of level 1.
        parts: See `regions.Part`.
        regions: Sizes, boxes, centroids and colours of the tokens.
        edges: Edges and their lengths.
    """

    values: np.ndarray
    steps: np.ndarray | None
    pixels: np.ndarray
    cluster: np.ndarray
    labels: np.ndarray
    height: int
    width: int
    deep: np.ndarray = field(init=False)
    counts: np.ndarray = field(init=False)
    token: np.ndarray = field(init=False)
    parts: list[Part] = field(default_factory=list)
    regions: tuple[np.ndarray, ...] = field(init=False)
    edges: tuple[np.ndarray, np.ndarray] = field(init=False)
    _levels: np.ndarray | None = None

    @property
    def num_tokens(self) -> int:
        """N."""
        return int(self.counts[-1])

    @property
    def is_planar(self) -> bool:
        """Whether all reds come first."""
        return self.values.ndim == 2

    @property
    def strides(self) -> tuple[int, int]:
        """In the flat values, from a pixel to the next, and from red to green."""
        return (1, len(self.labels)) if self.is_planar else (3, 1)

    @property
    def levels(self) -> np.ndarray:
        """The values of an 8-bit picture, [3·H·W]; empty for any other."""
        if self._levels is None:
            values = self.values.reshape(-1)
            levels = values if values.dtype == np.uint8 else np.empty(len(values), np.uint8)
            is_8_bit = levels is values or eight_bits(values, levels)
            self._levels = levels if is_8_bit else _NO_LEVELS
        return self._levels

    def flatten(self, begin: int, end: int) -> None:
        """Write the pixels in [begin, end)."""
        pixels = self.pixels[begin:end]
        if self.values.dtype == np.uint8:
            values = self.values.T if self.is_planar else self.values.reshape(-1, 3)
            np.divide(values[begin:end], np.float32(255), out=pixels, dtype=np.float32)
        elif self.is_planar:
            interleave(self.values, self.pixels, begin, end)
        else:
            pixels[:] = self.values.reshape(-1, 3)[begin:end]

    def contracted(self, deep: np.ndarray, counts: np.ndarray) -> None:
        """Keep what the kernels return."""
        self.deep, self.counts = deep, counts
        if len(counts) == 1:  # nothing to contract: pixels are tokens
            self.labels[:] = np.arange(len(self.labels))
            self.flatten(0, len(self.labels))
        self.token = token_of_region(deep, counts)

    def measure(self, begin: int, end: int) -> None:
        """Measure the tokens as far as they lie in the rows of the pixels in [begin, end)."""
        table = np.empty(table_size(self.width), np.int64)
        self.parts.append(
            Part(
                *measure_rows(
                    self.labels,
                    self.token,
                    self.pixels,
                    self.levels,
                    *self.strides,
                    self.width,
                    begin,
                    end,
                    self.num_tokens,
                    table,
                )
            )
        )

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
    """How images are contracted; see `spitgraph.contraction.operator.superpixels`."""

    levels: int
    num_regions: int
    code: int
    compactness: float
    channels: int  # of the features
    lab: bool  # whether these are of Lab

    def image(self, task: Task) -> Image:
        """What the kernels take: values of an 8-bit picture, or else features."""
        area = len(task.labels)
        levels, steps = task.levels, _NO_STEPS
        if task.steps is not None:
            levels, steps = _NO_LEVELS, np.ascontiguousarray(task.steps)
        if not len(levels):
            for_each(lambda job: task.flatten(*job), jobs(area))
            if task.steps is None:
                steps = np.empty((3, area), np.int32)
                for_each(partial(_call, lab_of_values, task.pixels, steps), jobs(area))
        size = task.height, task.width
        return Image(levels, *task.strides, task.pixels, steps, *size, self.code, self.compactness)

    def memory(self, pixels: int, width: int, **division: int) -> Work:
        """Working memory; see `working_memory`."""
        boxes = self.compactness != 0
        return working_memory(
            pixels,
            width,
            self.num_regions,
            self.channels,
            boxes=boxes,
            lab=self.lab,
            **division,
        )


def superpixels(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    steps: Int32[Tensor, "C P"] | None,
    levels: int,
    num_regions: int,
    similarity: str,
    compactness: float,
) -> tuple[Tensor, ...]:
    """Token graphs of a batch; see `spitgraph.contraction.operator.superpixels`."""
    channels = 3 if steps is None else len(steps)
    wanted = Wanted(
        levels, num_regions, CODES[similarity], compactness, channels, lab=steps is None
    )
    tasks, pixels, cluster = prepared(images, steps)
    limit = LARGE if len(tasks) >= torch.get_num_threads() else LARGE_OF_FEW
    small = [task for task in tasks if len(task.labels) <= limit]
    waiting, contracted = deque(small), deque[Task]()
    threads = min(torch.get_num_threads(), len(small))
    for_each(lambda _: work_alone(waiting, contracted, small, wanted), range(threads))
    for task in tasks:
        if len(task.labels) > limit:
            work_together(task, wanted)
    return (pixels, cluster, *assembled(tasks))


def prepared(
    images: Sequence[Shaped[Tensor, "3 _H _W"]], steps: Int32[Tensor, "C P"] | None
) -> tuple[list[Task], Tensor, Tensor]:
    """The tasks, and the tensors of pixels and clusters that they fill."""
    areas = [image.shape[1] * image.shape[2] for image in images]
    pixels = empty(sum(areas), 3, dtype=np.float32)
    cluster = empty(sum(areas), dtype=np.int64)
    labels = np.empty(sum(areas), np.uint32)
    features = None if steps is None else steps.numpy()
    rows, nodes = pixels.numpy(), cluster.numpy()
    tasks, start = [], 0
    for image, area in zip(images, areas, strict=True):
        here = slice(start, start + area)
        start += area
        last = image.permute(1, 2, 0)
        whole = last if last.is_contiguous() else image.contiguous().view(3, -1)
        task = Task(
            values=whole.numpy(),
            steps=None if features is None else features[:, here],
            pixels=rows[here],
            cluster=nodes[here],
            labels=labels[here],
            height=image.shape[1],
            width=image.shape[2],
        )
        tasks.append(task)
    return tasks, pixels, cluster


def work_alone(
    waiting: deque[Task], contracted: deque[Task], small: list[Task], wanted: Wanted
) -> None:
    """One thread: whole images, as long as there are any; then what is left to do of them."""
    most = max(len(task.labels) for task in small)
    work = wanted.memory(most, max(task.width for task in small))
    for task in each(waiting):
        image = wanted.image(task)
        task.contracted(
            *contract_image(0, image, work, task.labels, wanted.levels, wanted.num_regions)
        )
        contracted.append(task)
    for task in each(contracted):
        task.measure(0, len(task.labels))
        task.describe()


def each(tasks: deque[Task]) -> Iterator[Task]:
    """Take tasks until there are none; several threads may do so at a time."""
    with suppress(IndexError):
        while True:
            yield tasks.popleft()


def work_together(task: Task, wanted: Wanted) -> None:
    """All threads: one image, step by step."""
    area, threads = len(task.labels), torch.get_num_threads()
    chunk = min(max(area // (CHUNKS_A_THREAD * threads), LEAST), MOST)
    rows = min(max(chunk // task.width, 1), task.height)
    chunks = -(-task.height // rows)
    image = wanted.image(task)
    work = wanted.memory(area, task.width, chunks=chunks, rows=rows, threads=threads)

    def contribute(worker: int) -> None:
        arguments = image, work, task.labels, wanted.levels, wanted.num_regions
        try:
            results = contract_image(worker, *arguments)
        except BaseException:
            work.board[DONE] = FAILED
            raise
        finally:
            if worker == 0:  # whatever happens, nobody waits for more
                open_phase(work.board, HOME)
        if worker == 0:
            task.contracted(*results)

    for_each(contribute, range(threads))
    # every part holds sums for all tokens, so there are no more than threads
    band = -(-task.height // threads) * task.width
    for_each(lambda begin: task.measure(begin, min(begin + band, area)), range(0, area, band))
    task.describe()


def _call(function: Callable[..., None], *arguments: Any) -> None:
    *others, job = arguments
    function(*others, *job)


def assembled(tasks: list[Task]) -> tuple[Tensor, ...]:
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
        here = nodes[start : start + length]
        start += length
        here[area:] = task.deep
        parent = here[:area]
        finishing += [
            (task.labels, task.token, first, *job, parent, task.cluster) for job in jobs(area)
        ]
        task.edges[0][:] += first
    regions: list[Tensor] = []
    for_each(
        lambda job: finish_pixels(*job) if job else regions.extend(joined_regions(tasks)),
        [(), *finishing],  # regions first: that is up to the interpreter, which one thread has
    )
    return (
        hierarchy,
        joined([task.counts[:-1] for task in tasks]),
        torch.tensor([len(task.counts) - 1 for task in tasks]),
        torch.tensor(counts),
        *regions,
        torch.tensor([len(task.edges[1]) for task in tasks]),
    )


def joined_regions(tasks: list[Task]) -> tuple[Tensor, ...]:
    """Sizes, boxes, centroids, colours and edges of all images."""
    ends, lengths = zip(*(task.edges for task in tasks), strict=True)
    return (
        *(joined(parts) for parts in zip(*(task.regions for task in tasks), strict=True)),
        joined(ends, axis=1),
        joined(lengths)[:, None],
    )


def joined(parts: Sequence[np.ndarray], axis: int = 0) -> Tensor:
    """Parts as one tensor."""
    return torch.from_numpy(np.concatenate(parts, axis=axis))
