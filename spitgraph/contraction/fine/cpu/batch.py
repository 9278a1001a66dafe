"""The fine rule where PyTorch and NumPy call it: a batch, one thread an image, or a refinement."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from jaxtyping import Int32, Shaped
from torch import Tensor

from spitgraph.contraction.cpu.batch import Task, assembled, keep, prepared
from spitgraph.contraction.cpu.colour import quantised_lab_of_bytes, quantised_lab_of_floats
from spitgraph.contraction.fine.cpu.image import contract_image
from spitgraph.contraction.fine.cpu.moves import empty_frame
from spitgraph.contraction.fine.cpu.pixels import coarsen
from spitgraph.contraction.fine.cpu.refine import refine
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
    tasks, cluster = prepared(images, features_q, Arena())
    for_each(partial(contract_task, settings.num_tokens), tasks)
    return assembled(tasks, cluster)


def contract_task(num_regions: int, task: Task) -> None:
    """One image, from its pixels to its tokens."""
    area = len(task.labels)
    if num_regions >= area:  # pixels are tokens
        upper, counts = np.empty(0, np.uint32), np.array([area])
    else:
        features_q = fine_features(task)
        both = channel_weights(len(features_q), lab=task.features_q is None)
        upper, counts = contract_image(
            features_q, task.height, task.width, num_regions, *map(np.array, both), task.labels
        )
    keep(task, upper, counts)


def fine_features(task: Task) -> np.ndarray:
    """[C, H·W] int32, in the fine rule's steps."""
    if task.features_q is not None:
        features_q = np.array(task.features_q)
    else:
        features_q = np.empty((3, len(task.labels)), np.int32)
        of_values = quantised_lab_of_bytes if task.is_8_bit else quantised_lab_of_floats
        of_values(task.values.reshape(-1), *task.strides, 0, len(task.labels), features_q)
    coarsen(features_q)
    return features_q


@interruptible
def refine_labels(
    label: np.ndarray, features_q: np.ndarray, weights: np.ndarray, passes: int
) -> np.ndarray:
    """`spitgraph.contraction.fine.refine.refine` of [H, W] int64 and [C, H, W] int32."""
    height, width = label.shape
    labels = label.ravel().astype(np.uint32)
    steps = features_q.reshape(len(features_q), -1)
    held = pool_pixels(steps, weights, labels, int(labels.max()) + 1)
    frame = empty_frame(height, width)
    refine(labels, height, width, frame, steps, weights, weights, held, passes, steps, held[:0])
    return labels.astype(np.int64).reshape(height, width)
