"""From regions to fewer regions, round by round, in one compiled call."""

import numpy as np

from spitgraph.contraction.cpu.trees import relabel
from spitgraph.contraction.fine.cpu.borders import (
    SPREAD,
    empty_borders,
    list_borders,
    merge_borders,
)
from spitgraph.contraction.fine.cpu.room import take
from spitgraph.contraction.fine.cpu.rounds import merge_round, pool
from spitgraph.contraction.fine.rule import LEAST_MEAN_SIZE
from spitgraph.kernels.cpu.jit import kernel

_LEAST = LEAST_MEAN_SIZE


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

    Kept are partitions after rounds in which all regions merge. Borders, and what is computed from
    them, lie in two halves of the room by turns.

    Args:
        held: [n, C + 2] int64, see `rounds.describe`; at its beginning, what regions hold then.
        weights: [C] int64, what each channel counts.
        width: W.
        right: [H·W] int32, see `pixels.find_evidence`, as for `below`.
        below: See `right`.
        target: Below n.
        label: [H·W] uint32, regions; changed.
        kept: [≥ such rounds, H·W] uint32, written.
        room: See `room`.
    """
    n, keeping = len(held), 0
    taken, room = take(room, 4 * (SPREAD * n + 1))
    place = taken.view(np.uint32)
    taken, room = take(room, 4 * n)
    cluster = taken.view(np.uint32)
    taken, room = take(room, 4 * n)
    region = taken.view(np.uint32)  # of each region of the beginning, while all merge
    taken, room = take(room, 4 * n)
    later = taken.view(np.uint32)  # of each of those, which are far fewer, after more rounds
    for r in range(n):
        region[r] = later[r] = r
    waiting = n
    here, there = take(room, len(room) // 2)
    borders, _ = empty_borders(n, 0, place, here)
    count = list_borders(label, width, n, right, below, borders)
    while n > target:
        all_merge = len(label) < _LEAST * n
        before = n
        n = merge_round(borders, count, held[:n], weights, len(label), target, cluster, there)
        if all_merge:
            relabel(region, cluster)
            waiting = n
        else:
            relabel(later[:waiting], cluster)
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
    relabel(region, later)
    relabel(label, region)
    return n, keeping
