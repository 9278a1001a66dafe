"""Pixels on borders change sides (`naive.refine`), phase by phase."""

import numpy as np

from spitgraph.contraction.fine.cpu.moves import (
    Frame,
    band_rows,
    empty_frame,
    fill_frame,
    find_moves,
)
from spitgraph.contraction.fine.cpu.room import take
from spitgraph.kernels.cpu.jit import kernel


@kernel
def update(held: np.ndarray, channels: int, known: np.ndarray, r: int) -> None:
    """What pixels are compared with, of a region that has changed.

    Args:
        held: [n, C + 2] int64; see `rounds.describe`.
        channels: C.
        known: [n, C + 2] float64, written: means, what a pixel's distance counts in the region that
            it would leave, and in one that it would join.
        r: The region.
    """
    size = np.float64(held[r, channels + 1])
    for c in range(channels):
        known[r, c] = np.float64(held[r, c]) / size
    known[r, channels] = size / max(size - 1.0, 1.0)  # the last pixel does not leave
    known[r, channels + 1] = size / (size + 1.0)


@kernel
def move(
    frame: Frame, count: int, stride: int, now: int, labels: np.ndarray, changed: np.ndarray
) -> None:
    """So many pixels go to their new regions; `frame.moving` has their old ones then."""
    label, marked, in_row, moving, pixels, target = frame
    for k in range(count):
        p, pixel, to = np.int64(moving[k]), pixels[k], target[k]
        moving[k] = label[p]
        changed[moving[k]] = changed[to] = 1
        label[p] = labels[pixel] = to
        for q in (p - stride, p - 1, p, p + 1, p + stride):
            marked[q] = now
        row = (p - pixel - stride + 1) // 2  # p − pixel = stride + 1 + 2 · (row − 1)
        in_row[row - 1] = in_row[row] = in_row[row + 1] = now


@kernel
def give(
    features_q: np.ndarray, square_weights: np.ndarray, held: np.ndarray, frame: Frame, count: int
) -> None:
    """What so many moved pixels hold goes from their old regions to the new ones; see `refine`."""
    channels = len(square_weights)
    for k in range(count):
        pixel, old, new = frame.pixels[k], frame.moving[k], frame.target[k]
        square = 0
        for c in range(channels):
            value = np.int64(features_q[c, pixel])
            held[old, c] -= value
            held[new, c] += value
            square += square_weights[c] * value * value
        held[old, channels] -= square
        held[new, channels] += square
        held[old, channels + 1] -= 1
        held[new, channels + 1] += 1


@kernel
def refine(
    labels: np.ndarray,
    height: int,
    width: int,
    features_q: np.ndarray,
    weights: np.ndarray,
    square_weights: np.ndarray,
    held: np.ndarray,
    passes: int,
    other_q: np.ndarray,
    other_held: np.ndarray,
    room: np.ndarray,
) -> None:
    """Let pixels change sides, in place.

    Pixels of a band are found, moved and counted while they are at hand. What they are compared
    with changes between phases only.

    Args:
        labels: [H·W] uint32, regions; changed.
        height: H.
        width: W.
        features_q: [C, H·W] int32.
        weights: [C] int64, what each channel counts.
        square_weights: [C] int64, and in the sums of squares.
        held: [n, C + 2] int64, what regions hold, see `rounds.describe`; changed.
        passes: How many.
        other_q: [C, H·W] int32, another picture, which does not decide.
        other_held: [n, C + 2] int64, what regions hold of that; changed. Or [0, C + 2].
        room: See `room`.
    """
    channels, num_regions, rows = len(weights), len(held), band_rows(height, width)
    counts = weights.astype(np.float64)
    frame, room = empty_frame(height, width, room)
    fill_frame(frame, labels, height, width)
    changed, room = take(room, num_regions)
    known = take(room, 8 * held.size)[0].view(np.float64).reshape(held.shape)
    for r in range(num_regions):
        update(held, channels, known, r)
        changed[r] = 0
    for now in range(1, passes + 1):
        moved = 0
        for phase in range(4):
            for begin in range(0, height, rows):
                end = min(begin + rows, height)
                count = find_moves(
                    frame, begin, end, width, phase, now - 1, features_q, counts, known
                )
                moved += count
                move(frame, count, width + 2, now, labels, changed)
                give(features_q, square_weights, held, frame, count)
                if len(other_held) > 0:
                    give(other_q, square_weights, other_held, frame, count)
            for r in range(num_regions):
                if changed[r]:
                    update(held, channels, known, r)
                    changed[r] = 0
        if moved == 0:
            break
