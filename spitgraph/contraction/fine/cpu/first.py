"""From pixels to the first regions, in one compiled call."""

import numpy as np

from spitgraph.contraction.cpu.trees import grow_trees, relabel
from spitgraph.contraction.fine.cpu.pixels import (
    cheapest_directions,
    cut_directions,
    find_evidence,
    sum_patches,
)
from spitgraph.contraction.fine.cpu.room import take
from spitgraph.kernels.cpu.jit import kernel


@kernel
def first_regions(
    features_q: np.ndarray,
    weights: np.ndarray,
    width: int,
    right: np.ndarray,
    below: np.ndarray,
    target: int,
    label: np.ndarray,
    room: np.ndarray,
) -> int:
    """Evidence, and the first round, of pixels: their regions go to `label`; how many there are.

    Args:
        features_q: [C, H·W] int32.
        weights: [C] int64, what each channel counts.
        width: W.
        right: [H·W] int32, written; see `find_evidence`, as for `below`.
        below: See `right`.
        target: Not fewer regions than these.
        label: [H·W] uint32, written.
        room: See `room`.
    """
    num_pixels = len(label)
    patch = take(room, 4 * features_q.size)[0].view(np.int32).reshape(features_q.shape)
    sum_patches(0, num_pixels, features_q, width, patch)
    find_evidence(0, num_pixels, patch, width, right, below)
    direction, room = take(room, num_pixels)
    taken, room = take(room, 4 * num_pixels)
    number = taken.view(np.uint32)
    strength = room[:0].view(np.float64)
    cheapest_directions(
        0, num_pixels, features_q, weights, width, right, below, direction, strength
    )
    count = grow_trees(direction, width, label, number)
    if count < target:
        strength = take(room, 8 * num_pixels)[0].view(np.float64)
        cheapest_directions(
            0, num_pixels, features_q, weights, width, right, below, direction, strength
        )
        cut_directions(direction, strength, width, target, number)
        count = grow_trees(direction, width, label, number)
    relabel(label, number)
    return count
