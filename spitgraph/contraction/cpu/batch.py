"""τ for a batch of images: their hierarchies, from pixels on (METHOD 1–3).

Small images are contracted by one thread each, while they are in its cache. On a large one all
threads work together, step by step.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from jaxtyping import Int32, Int64, Shaped
from torch import Tensor

from spitgraph.contraction.cpu.assemble import finish_pixels, token_of_region
from spitgraph.contraction.cpu.hierarchy import contract_image
from spitgraph.contraction.cpu.weights import CODES
from spitgraph.contraction.cpu.work import Image, Memory, working_memory
from spitgraph.hierarchy import Hierarchy
from spitgraph.kernels.cpu.interrupts import interruptible
from spitgraph.kernels.cpu.memory import Arena
from spitgraph.kernels.cpu.team import send_home
from spitgraph.kernels.cpu.threads import for_each, jobs
from spitgraph.settings import Settings

#: Images of more pixels are worked on by all threads together, in chunks; and those of more than
#: these, if there are too few to keep all threads busy.
LARGE, LARGE_OF_FEW = 2**19, 3 * 2**14
#: Chunks for each thread, unless these were of fewer or more pixels than this.
CHUNKS_A_THREAD, LEAST, MOST = 8, 2**14, 2**19
_NO_BYTES, _NO_FLOATS = np.empty(0, np.uint8), np.empty(0, np.float32)
_NO_FEATURES = np.empty((3, 0), np.int32)


@dataclass
class Task:
    """One image, and what becomes of it.

    Attributes:
        values: [3, H·W] or, as pictures come from files, [H, W, 3]; uint8 or float32.
        features_q: [C, H·W] int32, quantised features; None for those of `"lab"`.
        labels: [H·W] uint32, written: regions of level 1.
        cluster: [H·W] int64, written: regions of the last level.
        height: H.
        width: W.
        upper: Parent maps of the levels from 1 on, one after the other.
        counts: Regions of each level, from 0 to the last.
        token: Region of the last level of each region of level 1.
    """

    values: np.ndarray
    features_q: np.ndarray | None
    labels: np.ndarray
    cluster: np.ndarray
    height: int
    width: int
    upper: np.ndarray = field(init=False)
    counts: np.ndarray = field(init=False)
    token: np.ndarray = field(init=False)

    @property
    def strides(self) -> tuple[int, int]:
        """In the flat values, from a pixel to the next, and from red to green."""
        return (1, len(self.labels)) if self.values.ndim == 2 else (3, 1)

    @property
    def is_8_bit(self) -> bool:
        """Whether these are bytes."""
        return self.values.dtype == np.uint8


@dataclass(frozen=True)
class Wanted:
    """How images are contracted.

    Attributes:
        settings: How far, and how.
        channels: Of the features.
        lab: Whether these are of Lab.
    """

    settings: Settings
    channels: int
    lab: bool

    @property
    def stop(self) -> tuple[int, int]:
        """Contraction steps, and the count of regions to stop at or 0."""
        return self.settings.levels, self.settings.num_tokens or 0

    def image(self, task: Task) -> Image:
        """What the kernels take: a picture's values, or else features."""
        bytes8, floats, features_q = _NO_BYTES, _NO_FLOATS, _NO_FEATURES
        if task.features_q is not None:
            features_q = np.ascontiguousarray(task.features_q)
        elif task.is_8_bit:
            bytes8 = task.values.reshape(-1)
        else:
            floats = task.values.reshape(-1)
        return Image(
            bytes8,
            floats,
            *task.strides,
            features_q,
            task.height,
            task.width,
            CODES[self.settings.similarity_name],
            self.settings.compactness,
        )

    def memory(self, pixels: int, width: int, **division: Any) -> Memory:
        """Working memory; see `working_memory`."""
        return working_memory(
            pixels,
            width,
            self.stop[1],
            self.channels,
            boxes=self.settings.compactness != 0,
            lab=self.lab,
            **division,
        )


@interruptible
def contract(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    features_q: Int32[Tensor, "C P"] | None,
    settings: Settings,
) -> Hierarchy:
    """Hierarchies of a batch; see `spitgraph.contraction.operator`."""
    channels = 3 if features_q is None else len(features_q)
    wanted = Wanted(settings, channels, lab=features_q is None)
    arena = Arena()
    tasks, cluster = prepared(images, features_q, arena)
    limit = LARGE if len(tasks) >= torch.get_num_threads() else LARGE_OF_FEW
    small = [task for task in tasks if len(task.labels) <= limit]
    if small:
        largest = max(len(task.labels) for task in small), max(task.width for task in small)
        threads = min(torch.get_num_threads(), len(small))
        memories = [wanted.memory(*largest, arena=arena) for _ in range(threads)]
        for_each(partial(work_alone, deque(small), wanted), memories)
    for task in tasks:
        if len(task.labels) > limit:
            work_together(task, wanted, arena)
    return assembled(tasks, cluster)


def prepared(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    features_q: Int32[Tensor, "C P"] | None,
    arena: Arena,
) -> tuple[list[Task], Int64[Tensor, " P"]]:
    """The tasks, and the tensor of clusters that they fill."""
    areas = [image.shape[1] * image.shape[2] for image in images]
    labels = arena.take(4 * sum(areas)).view(np.uint32)
    clusters = np.empty(sum(areas), np.int64)
    features = None if features_q is None else features_q.numpy()
    tasks, start = [], 0
    for image, area in zip(images, areas, strict=True):
        here = slice(start, start + area)
        start += area
        tasks.append(
            Task(
                values=values_in_order(image),
                features_q=None if features is None else features[:, here],
                labels=labels[here],
                cluster=clusters[here],
                height=image.shape[1],
                width=image.shape[2],
            )
        )
    return tasks, torch.from_numpy(clusters)


def values_in_order(image: Shaped[Tensor, "3 H W"]) -> np.ndarray:
    """Values as they lie in memory: [H, W, 3], as pictures come from files, or else [3, H·W]."""
    if not image.is_contiguous():
        last = image.permute(1, 2, 0)
        if last.is_contiguous():
            return last.numpy()
    return image.contiguous().numpy().reshape(3, -1)


def work_alone(waiting: deque, wanted: Wanted, memory: Memory) -> None:
    """One thread: whole images, as long as there are any."""
    while (task := next_of(waiting)) is not None:
        image = wanted.image(task)
        keep(task, *contract_image(0, image, memory, task.labels, *wanted.stop))


def next_of(tasks: deque) -> Task | None:
    """Take a task, if there is one; several threads may do so at a time."""
    try:
        return tasks.popleft()
    except IndexError:
        return None


def keep(task: Task, upper: np.ndarray, counts: np.ndarray) -> None:
    """Keep what the kernels return."""
    task.upper, task.counts, task.token = upper, counts, token_of_region(upper, counts)
    if len(counts) == 1:  # nothing to contract: pixels are tokens
        task.labels[:] = np.arange(len(task.labels))


def work_together(task: Task, wanted: Wanted, arena: Arena) -> None:
    """All threads: one image, step by step."""
    area, threads = len(task.labels), torch.get_num_threads()
    chunk = min(max(area // (CHUNKS_A_THREAD * threads), LEAST), MOST)
    rows = min(max(chunk // task.width, 1), task.height)
    chunks = -(-task.height // rows)
    image = wanted.image(task)
    division = {"chunks": chunks, "rows": rows, "threads": threads}
    memory = wanted.memory(area, task.width, arena=arena, **division)

    def contribute(worker: int) -> None:
        results = contract_image(worker, image, memory, task.labels, *wanted.stop)
        if worker == 0:
            keep(task, *results)

    for_each(contribute, range(threads), stop=partial(send_home, memory.board))


def assembled(tasks: list[Task], cluster: Int64[Tensor, " P"]) -> Hierarchy:
    """Hierarchies of all images, one image after the other."""
    counts = [task.counts.tolist() for task in tasks]
    first = accumulate((levels[-1] for levels in counts), initial=0)
    parents = np.empty(sum(sum(levels[:-1]) for levels in counts), np.int64)
    finishing: list[Callable[[], None]] = []
    map_start = 0
    for task, levels, start in zip(tasks, counts, first, strict=False):
        area = levels[0]
        maps = parents[map_start : map_start + sum(levels[:-1])]
        map_start += len(maps)
        of_pixels = maps[:area]
        for begin, end in jobs(area):
            here = slice(begin, end)
            read, written = (task.labels[here], task.token), (of_pixels[here], task.cluster[here])
            finishing.append(partial(finish_pixels, *read, start, *written))
        finishing.append(partial(np.copyto, maps[area:], task.upper))
    for_each(lambda job: job(), finishing)
    flat = np.concatenate([task.counts for task in tasks])
    depths = np.array([len(levels) - 1 for levels in counts], np.int64)
    parent, counted, num_levels = map(torch.from_numpy, (parents, flat, depths))
    return Hierarchy(parent, counted, num_levels, cluster)
