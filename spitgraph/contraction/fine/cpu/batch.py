"""The fine rule where PyTorch and NumPy call it: a batch, one thread an image, or a refinement."""

from collections import deque
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Int32, Shaped
from torch import Tensor

from spitgraph.contraction.cpu.batch import Task, assembled, keep, next_of, prepared
from spitgraph.contraction.cpu.colour import quantised_lab_of_bytes, quantised_lab_of_floats
from spitgraph.contraction.fine.cpu.image import ALONE, Steps, contract_image
from spitgraph.contraction.fine.cpu.pixels import coarsen
from spitgraph.contraction.fine.cpu.room import ROOM, Room
from spitgraph.contraction.fine.cpu.rounds import pool_pixels
from spitgraph.contraction.fine.cpu.together import TOGETHER
from spitgraph.contraction.fine.rule import channel_weights
from spitgraph.hierarchy import Hierarchy
from spitgraph.kernels.cpu.interrupts import interruptible
from spitgraph.kernels.cpu.memory import Arena
from spitgraph.kernels.cpu.threads import for_each
from spitgraph.settings import Settings

#: Images of more pixels are worked on by all threads together: each has room of its own, and a
#: thread for each would need much memory. And those of more than these, if there are too few to
#: keep all threads busy.
LARGE, LARGE_OF_FEW = 2**22, 2**19


@interruptible
def contract(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    features_q: Int32[Tensor, "C P"] | None,
    settings: Settings,
) -> Hierarchy:
    """Hierarchies of a batch; see `spitgraph.contraction.operator`."""
    assert settings.num_tokens is not None
    arena = Arena()
    tasks, cluster = prepared(images, features_q, arena)
    limit = LARGE if len(tasks) >= torch.get_num_threads() else LARGE_OF_FEW
    small = [task for task in tasks if len(task.labels) <= limit]
    if small:
        largest = max(len(task.labels) for task in small)
        threads = min(torch.get_num_threads(), len(small))
        rooms = [arena.take(ROOM * largest) for _ in range(threads)]
        for_each(partial(contract_tasks, deque(small), settings.num_tokens), rooms)
    large = [task for task in tasks if len(task.labels) > limit]
    if large:
        room = arena.take(ROOM * max(len(task.labels) for task in large))
        for task in large:
            contract_task(task, settings.num_tokens, room, TOGETHER)
    return assembled(tasks, cluster)


def contract_tasks(waiting: deque[Task], num_regions: int, room: np.ndarray) -> None:
    """One thread: images, as long as there are any."""
    while (task := next_of(waiting)) is not None:
        contract_task(task, num_regions, room, ALONE)


def contract_task(task: Task, num_regions: int, block: np.ndarray, steps: Steps) -> None:
    """One image, from its pixels to its tokens."""
    area = len(task.labels)
    if num_regions >= area:  # pixels are tokens
        upper, counts = np.empty(0, np.uint32), np.array([area])
    else:
        channels = 3 if task.features_q is None else len(task.features_q)
        room = Room(block)
        features_q = room.take((channels, area), np.int32)
        steps.for_pixels(task.height, task.width, partial(find_features, task), features_q)
        to_merge, to_refine = channel_weights(channels, lab=task.features_q is None)
        upper, counts = contract_image(
            features_q,
            task.height,
            task.width,
            num_regions,
            np.array(to_merge),
            np.array(to_refine),
            task.labels,
            task.cluster.view(np.int32).reshape(2, area),  # written last
            room.rest,
            steps,
        )
    keep(task, upper, counts)


def find_features(task: Task, begin: int, end: int, features_q: np.ndarray) -> None:
    """Of the pixels in [begin, end), in the fine rule's steps: [C, H·W] int32, written."""
    if task.features_q is not None:
        values = np.ascontiguousarray(task.features_q[:, begin:end])
    else:
        is_whole = end - begin == features_q.shape[1]
        values = features_q if is_whole else np.empty((3, end - begin), np.int32)
        of_values = quantised_lab_of_bytes if task.is_8_bit else quantised_lab_of_floats
        of_values(task.values.reshape(-1), *task.strides, begin, end, values)
    coarsen(values, begin, features_q)


@interruptible
def refine_labels(
    label: np.ndarray, features_q: np.ndarray, weights: np.ndarray, passes: int
) -> np.ndarray:
    """`spitgraph.contraction.fine.refine.refine` of [H, W] int64 and [C, H, W] int32."""
    height, width = label.shape
    labels = label.ravel().astype(np.uint32)
    steps = ALONE if labels.size <= LARGE_OF_FEW else TOGETHER
    pixels_q = features_q.reshape(len(features_q), -1)
    held = np.empty((int(labels.max()) + 1, len(weights) + 2), np.int64)
    pool_pixels(pixels_q, weights, labels, held)
    room = np.empty(0, np.uint8)  # each step takes its own
    refining = pixels_q, weights, weights, held, passes
    steps.refine(labels, height, width, *refining, pixels_q, 0, room)
    return labels.astype(np.int64).reshape(height, width)
