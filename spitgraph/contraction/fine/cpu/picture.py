"""What pixels that change sides are compared with, and take along."""

from typing import NamedTuple

import numpy as np

from spitgraph.contraction.fine.cpu.room import take
from spitgraph.kernels.cpu.jit import kernel, part


class Picture(NamedTuple):
    """What pixels are moved by, and what follows them.

    Attributes:
        features_q: [C, H·W] int32, which decides.
        held: [n, C + 2] int64, what regions hold of it, see `rounds.describe`; changed.
        known: [n, C + 2] float64, see `update`.
        other_q: [C, H·W] int32, another picture, which does not decide.
        other_held: [n, C + 2] int64, what regions hold of that; changed. Or [0, C + 2].
        changed: [n] uint8, whether a region has.
        weights: [C] int64, what each channel counts.
        square_weights: [C] int64, and in the sums of squares.
    """

    features_q: np.ndarray
    held: np.ndarray
    known: np.ndarray
    other_q: np.ndarray
    other_held: np.ndarray
    changed: np.ndarray
    weights: np.ndarray
    square_weights: np.ndarray


@kernel
def picture_of(
    features_q: np.ndarray,
    held: np.ndarray,
    other_q: np.ndarray,
    other_held: np.ndarray,
    weights: np.ndarray,
    square_weights: np.ndarray,
    room: np.ndarray,
) -> Picture:
    """All about two pictures; see `Picture`."""
    taken, room = take(room, 8 * held.size)
    known = taken.view(np.float64).reshape(held.shape)
    changed, room = take(room, len(held))
    picture = Picture(
        features_q, held, known, other_q, other_held, changed, weights, square_weights
    )
    changed[:] = 1
    update(picture)
    return picture


@kernel
def update(picture: Picture) -> None:
    """What pixels are compared with, of the regions that have changed.

    Those are means, what a pixel's distance counts in the region that it would leave, and in one
    that it would join.
    """
    held, known, channels = picture.held, picture.known, len(picture.weights)
    for r in range(len(held)):
        if picture.changed[r]:
            picture.changed[r] = 0
            size = np.float64(held[r, channels + 1])
            for c in range(channels):
                known[r, c] = np.float64(held[r, c]) / size
            known[r, channels] = size / max(size - 1.0, 1.0)  # the last pixel does not leave
            known[r, channels + 1] = size / (size + 1.0)


@part
def give(
    features_q: np.ndarray,
    square_weights: np.ndarray,
    held: np.ndarray,
    pixel: int,
    old: int,
    new: int,
) -> None:
    """What a moved pixel holds goes from its old region to the new one."""
    channels, square = len(square_weights), 0
    for c in range(channels):
        value = np.int64(features_q[c, pixel])
        held[old, c] -= value
        held[new, c] += value
        square += square_weights[c] * value * value
    held[old, channels] -= square
    held[new, channels] += square
    held[old, channels + 1] -= 1
    held[new, channels + 1] += 1
