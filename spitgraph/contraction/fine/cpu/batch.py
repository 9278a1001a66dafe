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
from spitgraph.contraction.fine.cpu.image import contract_image
from spitgraph.contraction.fine.cpu.pixels import coarsen
from spitgraph.contraction.fine.cpu.refine import refine
from spitgraph.contraction.fine.cpu.room import ROOM, take
from spitgraph.contraction.fine.cpu.rounds import pool_pixels
from spitgraph.contraction.fine.rule import channel_weights
from spitgraph.hierarchy import Hierarchy
from spitgraph.kernels.cpu.interrupts import interruptible
from spitgraph.kernels.cpu.memory import Arena
from spitgraph.kernels.cpu.threads import for_each
from spitgraph.settings import Settings


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
    largest = max(len(task.labels) for task in tasks)
    threads = min(torch.get_num_threads(), len(tasks))
    rooms = [arena.take(ROOM * largest) for _ in range(threads)]
    for_each(partial(contract_tasks, deque(tasks), settings.num_tokens), rooms)
    return assembled(tasks, cluster)


def contract_tasks(waiting: deque[Task], num_regions: int, room: np.ndarray) -> None:
    """One thread: images, as long as there are any."""
    while (task := next_of(waiting)) is not None:
        contract_task(task, num_regions, room)


def contract_task(task: Task, num_regions: int, room: np.ndarray) -> None:
    """One image, from its pixels to its tokens."""
    area = len(task.labels)
    if num_regions >= area:  # pixels are tokens
        upper, counts = np.empty(0, np.uint32), np.array([area])
    else:
        features_q, room = fine_features(task, room)
        both = channel_weights(len(features_q), lab=task.features_q is None)
        upper, counts = contract_image(
            features_q,
            task.height,
            task.width,
            num_regions,
            *map(np.array, both),
            task.labels,
            task.cluster.view(np.int32).reshape(2, area),  # written last
            room,
        )
    keep(task, upper, counts)


def fine_features(task: Task, room: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[C, H·W] int32, in the fine rule's steps; and the room that is left."""
    area = len(task.labels)
    channels = 3 if task.features_q is None else len(task.features_q)
    taken, room = take(room, 4 * channels * area)
    features_q = taken.view(np.int32).reshape(channels, area)
    if task.features_q is not None:
        features_q[:] = task.features_q
    else:
        of_values = quantised_lab_of_bytes if task.is_8_bit else quantised_lab_of_floats
        of_values(task.values.reshape(-1), *task.strides, 0, area, features_q)
    coarsen(features_q)
    return features_q, room


@interruptible
def refine_labels(
    label: np.ndarray, features_q: np.ndarray, weights: np.ndarray, passes: int
) -> np.ndarray:
    """`spitgraph.contraction.fine.refine.refine` of [H, W] int64 and [C, H, W] int32."""
    height, width = label.shape
    labels = label.ravel().astype(np.uint32)
    steps = features_q.reshape(len(features_q), -1)
    held = np.empty((int(labels.max()) + 1, len(weights) + 2), np.int64)
    pool_pixels(steps, weights, labels, held)
    room = np.empty(0, np.uint8)  # each step takes its own
    refine(labels, height, width, steps, weights, weights, held, passes, steps, 0, room)
    return labels.astype(np.int64).reshape(height, width)
