"""One image to an exact count of fine regions, in one compiled call (`naive.partitions`)."""

import numpy as np

from spitgraph.contraction.cpu.trees import grow_trees
from spitgraph.contraction.fine.cpu.borders import (
    SPREAD,
    empty_borders,
    list_borders,
    merge_borders,
)
from spitgraph.contraction.fine.cpu.nest import meet
from spitgraph.contraction.fine.cpu.pixels import (
    cheapest_directions,
    cut_directions,
    find_evidence,
    smooth,
    sum_patches,
)
from spitgraph.contraction.fine.cpu.refine import refine
from spitgraph.contraction.fine.cpu.room import take
from spitgraph.contraction.fine.cpu.rounds import merge_round, pool, pool_pixels
from spitgraph.contraction.fine.rule import LEAST_MEAN_SIZE, SCHEDULE
from spitgraph.kernels.cpu.jit import kernel

#: See `rule.SCHEDULE`; numbers, of which compiled code makes an array.
_HALVES, _SMOOTH, _PASSES = (np.array(column) for column in zip(*SCHEDULE, strict=True))
_LEAST = LEAST_MEAN_SIZE
#: Rounds in which all regions merge at least halve their number.
_MOST_EARLY = _LEAST.bit_length()


@kernel
def contract_image(
    features_q: np.ndarray,
    height: int,
    width: int,
    num_regions: int,
    merge_weights: np.ndarray,
    refine_weights: np.ndarray,
    labels: np.ndarray,
    evidence: np.ndarray,
    room: np.ndarray,
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
        evidence: [2, H·W] int32, working memory; see `find_evidence`.
        room: [bytes] uint8, working memory; see `room`.

    Returns:
        Parent maps of the levels from 1 on, one after the other, uint32; and how many regions each
        level has, from the pixels on, int64.
    """
    num_pixels, channels = features_q.shape[1], len(features_q)
    right, below = evidence[0], evidence[1]
    patch = take(room, 4 * features_q.size)[0].view(np.int32).reshape(features_q.shape)
    sum_patches(features_q, width, patch)
    find_evidence(patch, width, right, below)
    taken, room = take(room, 4 * _MOST_EARLY * num_pixels)  # where `patch` was
    early = taken.view(np.uint32).reshape(_MOST_EARLY, num_pixels)
    first = 0
    while _HALVES[first] * num_regions // 2 >= num_pixels:
        first += 1
    target = _HALVES[first] * num_regions // 2
    n = merge_pixels(features_q, merge_weights, width, right, below, target, labels, room)
    taken, room = take(room, 8 * n * (channels + 2))
    held = taken.view(np.int64).reshape(n, channels + 2)
    pool_pixels(features_q, merge_weights, labels, held)
    keeping = 0
    if n > target:
        copy(labels, early[0])
        n, keeping = merge_regions(
            held, merge_weights, width, right, below, target, labels, early, room
        )
    taken, room = take(room, 4 * features_q.size)
    smoothed = taken.view(np.int32).reshape(features_q.shape)
    sum_patches(features_q, width, smoothed)
    smooth(smoothed, features_q)
    taken, room = take(room, 4 * len(_HALVES) * num_pixels)
    late = taken.view(np.uint32).reshape(len(_HALVES), num_pixels)
    for stage in range(first, len(_HALVES)):
        target = _HALVES[stage] * num_regions // 2
        if n > target:
            # a round in which all merge halves them, and so is the last one: it keeps nothing
            n, _ = merge_regions(
                held[:n], merge_weights, width, right, below, target, labels, late, room
            )
        refine(
            labels,
            height,
            width,
            features_q,
            refine_weights,
            merge_weights,
            held[:n],
            _PASSES[stage],
            smoothed,
            _SMOOTH[stage],
            room,
        )
        if stage + 1 < len(_HALVES):
            copy(labels, late[stage])
    return nested(early[:keeping], late[first : len(_HALVES) - 1], width, n, labels, room)


@kernel
def merge_pixels(
    features_q: np.ndarray,
    weights: np.ndarray,
    width: int,
    right: np.ndarray,
    below: np.ndarray,
    target: int,
    label: np.ndarray,
    room: np.ndarray,
) -> int:
    """The first round, of pixels: their regions go to `label`; how many there are."""
    num_pixels = len(label)
    direction, room = take(room, num_pixels)
    taken, room = take(room, 4 * num_pixels)
    number = taken.view(np.uint32)
    strength = room[:0].view(np.float64)
    cheapest_directions(features_q, weights, width, right, below, direction, strength)
    count = grow_trees(direction, width, label, number)
    if count < target:
        strength = take(room, 8 * num_pixels)[0].view(np.float64)
        cheapest_directions(features_q, weights, width, right, below, direction, strength)
        cut_directions(direction, strength, width, target, number)
        count = grow_trees(direction, width, label, number)
    for p in range(num_pixels):
        label[p] = number[label[p]]
    return count


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
    room: np.ndarray,
) -> tuple[int, int]:
    """Rounds until there are `target` regions: how many are left, and how many rows of `kept`.

    What regions hold stands at the beginning of `held` then. `kept` begins with their partition,
    and goes on with those after rounds in which all merge. Borders, and what is computed from them,
    lie in two halves of the room by turns.
    """
    n, keeping = len(held), 1
    taken, room = take(room, 4 * (SPREAD * n + 1))
    place = taken.view(np.uint32)
    taken, room = take(room, 4 * n)
    cluster = taken.view(np.uint32)
    taken, room = take(room, 4 * n)
    region = taken.view(np.uint32)  # of each region of the beginning
    for r in range(n):
        region[r] = r
    here, there = take(room, len(room) // 2)
    borders, _ = empty_borders(n, 0, place, here)
    count = list_borders(label, width, n, right, below, borders)
    while n > target:
        all_merge = len(label) < _LEAST * n
        before = n
        n = merge_round(borders, count, held[:n], weights, len(label), target, cluster, there)
        for r in range(len(region)):
            region[r] = cluster[region[r]]
        pool(held[:before], cluster)
        if n > target:
            merged, rest = empty_borders(n, count, place, there)
            count = merge_borders(cluster[:before], borders, count, n, merged, rest)
            borders = merged
            here, there = there, here
            if all_merge:
                for p in range(len(label)):
                    kept[keeping, p] = region[label[p]]
                keeping += 1
    for p in range(len(label)):
        label[p] = region[label[p]]
    return n, keeping


@kernel
def nested(
    early: np.ndarray,
    late: np.ndarray,
    width: int,
    num_regions: int,
    labels: np.ndarray,
    room: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """See `naive.nested`: parent maps from level 1 on, and counts; level 1 goes to `labels`.

    Partitions are those of `early`, then `late`, then `labels`.
    """
    num_pixels, kept = len(labels), len(early) + len(late)
    counts = np.empty(kept + 2, np.int64)  # from the last on
    counts[0], levels = num_regions, 1
    taken, room = take(room, 4 * num_pixels)
    common = taken.view(np.uint32)
    taken, room = take(room, 4 * num_pixels)
    upper = taken.view(np.uint32)  # of which the end is used
    used = 0
    for k in range(kept - 1, -1, -1):
        partition = early[k] if k < len(early) else late[k - len(early)]
        count = meet(partition, labels, width, common, room)
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
