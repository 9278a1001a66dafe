"""One image to an exact count of fine regions, in one compiled call (`naive.partitions`)."""

import numpy as np

from spitgraph.contraction.cpu.trees import grow_trees
from spitgraph.contraction.fine.cpu.borders import empty_borders, list_borders, merge_borders
from spitgraph.contraction.fine.cpu.moves import Frame, empty_frame
from spitgraph.contraction.fine.cpu.nest import meet
from spitgraph.contraction.fine.cpu.pixels import (
    cheapest_directions,
    cut_directions,
    find_evidence,
    patch_sums,
    smooth,
)
from spitgraph.contraction.fine.cpu.refine import refine
from spitgraph.contraction.fine.cpu.rounds import merge_round, pool, pool_pixels
from spitgraph.contraction.fine.rule import LEAST_MEAN_SIZE, SCHEDULE
from spitgraph.kernels.cpu.jit import kernel

#: See `rule.SCHEDULE`; numbers, of which compiled code makes an array.
_HALVES, _SMOOTH, _PASSES = (np.array(column) for column in zip(*SCHEDULE, strict=True))
_LEAST = LEAST_MEAN_SIZE
#: Rounds in which all regions merge at least halve their number.
_MOST_KEPT = len(SCHEDULE) + _LEAST.bit_length()


@kernel
def contract_image(
    features_q: np.ndarray,
    height: int,
    width: int,
    num_regions: int,
    merge_weights: np.ndarray,
    refine_weights: np.ndarray,
    labels: np.ndarray,
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

    Returns:
        Parent maps of the levels from 1 on, one after the other, uint32; and how many regions each
        level has, from the pixels on, int64.
    """
    num_pixels = height * width
    right, below = np.empty(num_pixels, np.int32), np.empty(num_pixels, np.int32)
    patch = patch_sums(features_q, width)
    find_evidence(patch, width, right, below)
    smooth(patch, features_q)  # from here on, the smoothed picture
    kept = np.empty((_MOST_KEPT, num_pixels), np.uint32)
    label, frame = np.empty(num_pixels, np.uint32), empty_frame(height, width)
    held = np.empty((0, len(merge_weights) + 2), np.int64)
    n, keeping = num_pixels, 0
    for stage in range(len(_HALVES)):
        target = _HALVES[stage] * num_regions // 2
        if n == num_pixels and n > target:
            held = merge_pixels(features_q, merge_weights, width, right, below, target, label)
            n = len(held)
            if n > target:
                copy(label, kept[keeping])
                keeping += 1
        if n > target:
            held, keeping = merge_regions(
                held, merge_weights, width, right, below, target, label, kept, keeping
            )
            n = len(held)
        if n < num_pixels:
            refine_stage(
                label,
                height,
                width,
                frame,
                patch,
                features_q,
                refine_weights,
                merge_weights,
                held,
                _SMOOTH[stage],
                _PASSES[stage],
            )
            copy(label, kept[keeping])
            keeping += 1
    return nested(kept[:keeping], width, n, labels)


@kernel
def merge_pixels(
    features_q: np.ndarray,
    weights: np.ndarray,
    width: int,
    right: np.ndarray,
    below: np.ndarray,
    target: int,
    label: np.ndarray,
) -> np.ndarray:
    """The first round, of pixels: their regions go to `label`; what these hold."""
    num_pixels = len(label)
    direction = np.empty(num_pixels, np.uint8)
    number = np.empty(num_pixels, np.uint32)
    strength = np.empty(0)
    cheapest_directions(features_q, weights, width, right, below, direction, strength)
    count = grow_trees(direction, width, label, number)
    if count < target:
        strength = np.empty(num_pixels)
        cheapest_directions(features_q, weights, width, right, below, direction, strength)
        cut_directions(direction, strength, width, target)
        count = grow_trees(direction, width, label, number)
    for p in range(num_pixels):
        label[p] = number[label[p]]
    return pool_pixels(features_q, weights, label, count)


@kernel
def merge_regions(
    held: np.ndarray,
    weights: np.ndarray,
    width: int,
    right: np.ndarray,
    below: np.ndarray,
    target: int,
    label: np.ndarray,
    kept: np.ndarray,
    keeping: int,
) -> tuple[np.ndarray, int]:
    """Rounds until there are `target` regions: what they hold, and how many partitions are kept."""
    n = len(held)
    borders, spare = empty_borders(n), empty_borders(n)
    count = list_borders(label, width, n, right, below, borders)
    known = np.empty((n, len(weights) + 2))
    cluster = np.empty(n, np.uint32)
    region = np.arange(n).astype(np.uint32)  # of each region of the beginning
    while n > target:
        all_merge = len(label) < _LEAST * n
        before = n
        n = merge_round(borders, count, held, weights, known, len(label), target, cluster)
        for r in range(len(region)):
            region[r] = cluster[region[r]]
        held = pool(held, cluster, n)
        if n > target:
            count = merge_borders(cluster[:before], borders, count, n, spare)
            borders, spare = spare, borders
            if all_merge:
                for p in range(len(label)):
                    kept[keeping, p] = region[label[p]]
                keeping += 1
    for p in range(len(label)):
        label[p] = region[label[p]]
    return held, keeping


@kernel
def refine_stage(
    label: np.ndarray,
    height: int,
    width: int,
    frame: Frame,
    smoothed: np.ndarray,
    features_q: np.ndarray,
    weights: np.ndarray,
    square_weights: np.ndarray,
    held: np.ndarray,
    smooth_passes: int,
    passes: int,
) -> None:
    """Let pixels change sides, first by the smoothed picture; see `refine`."""
    if smooth_passes > 0:
        smoothed_held = pool_pixels(smoothed, square_weights, label, len(held))
        refine(
            label,
            height,
            width,
            frame,
            smoothed,
            weights,
            square_weights,
            smoothed_held,
            smooth_passes,
            features_q,
            held,
        )
    refine(
        label,
        height,
        width,
        frame,
        features_q,
        weights,
        square_weights,
        held,
        passes,
        smoothed,
        held[:0],
    )


@kernel
def nested(
    kept: np.ndarray, width: int, num_regions: int, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """See `naive.nested`: parent maps from level 1 on, and counts; level 1 goes to `labels`."""
    num_pixels = len(labels)
    counts = np.empty(len(kept) + 1, np.int64)  # from the last on
    counts[0], levels = num_regions, 1
    copy(kept[len(kept) - 1], labels)
    upper = np.empty(num_pixels, np.uint32)  # of which the end is used
    used = 0
    common = np.empty(num_pixels, np.uint32)
    for k in range(len(kept) - 2, -1, -1):
        count = meet(kept[k], labels, width, common)
        if counts[levels - 1] < count < num_pixels:
            if used + count > len(upper):
                longer = np.empty(2 * len(upper) + count, np.uint32)
                copy(upper[len(upper) - used :], longer[len(longer) - used :])
                upper = longer
            used += count
            parent = upper[len(upper) - used :]
            for p in range(num_pixels):
                parent[common[p]] = labels[p]
            counts[levels] = count
            levels += 1
            copy(common, labels)
    counts[levels] = num_pixels
    return upper[len(upper) - used :].copy(), counts[: levels + 1][::-1].copy()


@kernel
def copy(source: np.ndarray, target: np.ndarray) -> None:
    """The same as assigning to a slice, which takes longer to compile."""
    for k in range(len(source)):
        target[k] = source[k]
