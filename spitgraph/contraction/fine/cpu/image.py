"""One image to an exact count of fine regions (`naive.partitions`): one compiled call a step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from spitgraph.contraction.fine.cpu import first, merge, nest, refine
from spitgraph.contraction.fine.cpu.pixels import smooth
from spitgraph.contraction.fine.cpu.room import Room
from spitgraph.contraction.fine.cpu.rounds import pool_pixels
from spitgraph.contraction.fine.rule import LEAST_MEAN_SIZE, SCHEDULE

#: Rounds in which all regions merge at least halve their number.
_MOST_EARLY = LEAST_MEAN_SIZE.bit_length()


def for_pixels(height: int, width: int, step: Callable[..., None], *args: Any) -> None:
    """Do a step to the pixels from the first to behind the last."""
    step(0, height * width, *args)


class Steps(NamedTuple):
    """What does the steps: one thread alone, or all together (`together`)."""

    for_pixels: Callable[..., None] = for_pixels
    first_regions: Callable[..., int] = first.first_regions
    merge_regions: Callable[..., tuple[int, int]] = merge.merge_regions
    refine: Callable[..., None] = refine.refine
    nested: Callable[..., tuple[np.ndarray, np.ndarray]] = nest.nested


ALONE = Steps()


def contract_image(
    features_q: np.ndarray,
    height: int,
    width: int,
    num_regions: int,
    merge_weights: np.ndarray,
    refine_weights: np.ndarray,
    labels: np.ndarray,
    evidence: np.ndarray,
    block: np.ndarray,
    steps: Steps = ALONE,
) -> tuple[np.ndarray, np.ndarray]:
    """The hierarchy of one image.

    Args:
        features_q: [C, H·W] int32, in the fine rule's steps.
        height: H.
        width: W.
        num_regions: K, below the number of pixels.
        merge_weights: [C] int64, what each channel counts where regions merge.
        refine_weights: [C] int64, and where pixels change sides.
        labels: [H·W] uint32, written: region of level 1 of each pixel.
        evidence: [2, H·W] int32, working memory; see `pixels.find_evidence`.
        block: [bytes] uint8, working memory; see `room`.
        steps: Who does it.

    Returns:
        Parent maps of the levels from 1 on, one after the other, uint32; and how many regions each
        level has, from the pixels on, int64.
    """
    channels, num_pixels = features_q.shape
    stages = [
        (target, smooth_passes, passes)
        for halves, smooth_passes, passes in SCHEDULE
        if (target := halves * num_regions // 2) < num_pixels
    ]
    merging = merge_weights, width, evidence[0], evidence[1]
    target = stages[0][0]
    n = steps.first_regions(features_q, *merging, target, labels, block)
    room = Room(block)
    kept = room.take((_MOST_EARLY + len(stages), num_pixels), np.uint32)
    held = room.take((n, channels + 2), np.int64)
    pool_pixels(features_q, merge_weights, labels, held)
    smoothed, keeping = None, 0
    for target, smooth_passes, passes in stages:
        if n > target:
            kept[keeping] = labels
            n, more = steps.merge_regions(
                held[:n], *merging, target, labels, kept[keeping + 1 :], room.rest
            )
            keeping += 1 + more
        if smoothed is None:  # not before the first regions have merged, which take most room
            smoothed = room.take(features_q.shape, np.int32)
            steps.for_pixels(height, width, smooth, features_q, width, smoothed)
        refining = features_q, refine_weights, merge_weights, held[:n], passes
        steps.refine(labels, height, width, *refining, smoothed, smooth_passes, room.rest)
    return steps.nested(kept[:keeping], width, n, labels, room.rest)
