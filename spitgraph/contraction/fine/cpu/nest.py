"""Partitions made to nest (`naive.nested`)."""

import numpy as np

from spitgraph.contraction.cpu.grid import LEFT, UP
from spitgraph.contraction.cpu.trees import grow_trees, relabel
from spitgraph.contraction.fine.cpu.room import take
from spitgraph.kernels.cpu.jit import kernel


@kernel
def meet(
    fine: np.ndarray, coarse: np.ndarray, width: int, common: np.ndarray, room: np.ndarray
) -> int:
    """Connected parts of what two partitions have in common; how many there are.

    Args:
        fine: [H·W] uint32.
        coarse: [H·W] uint32.
        width: W.
        common: [H·W] uint32, written: numbered by their first pixels.
        room: See `room`.
    """
    direction, room = take(room, len(fine))
    for row in range(0, len(fine), width):
        a, b, out = fine[row : row + width], coarse[row : row + width], direction[row:]
        out[0] = 0
        for x in range(1, width):
            out[x] = LEFT * ((a[x] == a[x - 1]) & (b[x] == b[x - 1]))
        if row > 0:
            above_a, above_b = fine[row - width : row], coarse[row - width : row]
            above = direction[row - width : row]
            for x in range(width):  # once for two runs: the pixels left of these say the same
                joined = (a[x] == above_a[x]) & (b[x] == above_b[x])
                out[x] |= UP * (joined & ((out[x] & above[x] & LEFT) ^ LEFT))
    number = take(room, 4 * len(fine))[0].view(np.uint32)
    count = grow_trees(direction, width, common, number)
    relabel(common, number)
    return count


@kernel
def nested(
    kept: np.ndarray,
    width: int,
    num_regions: int,
    labels: np.ndarray,
    room: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """See `naive.nested`: parent maps from level 1 on, and counts; level 1 goes to `labels`.

    Partitions are those of `kept` [k, H·W] uint32, then `labels`.
    """
    num_pixels = len(labels)
    counts = np.empty(len(kept) + 2, np.int64)  # from the last on
    counts[0], levels = num_regions, 1
    taken, room = take(room, 4 * num_pixels)
    common = taken.view(np.uint32)
    taken, room = take(room, 4 * num_pixels)
    upper = taken.view(np.uint32)  # of which the end is used
    used = 0
    for k in range(len(kept) - 1, -1, -1):
        count = meet(kept[k], labels, width, common, room)
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
