"""Pixels on borders change sides (`naive.refine`), phase by phase."""

import numpy as np

from spitgraph.contraction.fine.cpu.moves import (
    Columns,
    Frame,
    band_rows,
    columns_of,
    empty_frame,
    fill_frame,
    find_moves,
    read_frame,
)
from spitgraph.contraction.fine.cpu.room import take
from spitgraph.contraction.fine.cpu.rounds import pool_pixels
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
    frame: Frame, count: int, columns: Columns, width: int, now: int, changed: np.ndarray
) -> None:
    """So many pixels go to their new regions."""
    label, marked, in_row, places, pixels, source, target = frame
    for k in range(count):
        place = places[k]
        label[place] = target[k]
        changed[source[k]] = changed[target[k]] = 1
        for step in (-columns.stride, columns.left, 0, columns.right, columns.stride):
            marked[place + step] = now
        row = pixels[k] // width + 1
        in_row[row - 1] = in_row[row] = in_row[row + 1] = now


@kernel
def give(
    features_q: np.ndarray, square_weights: np.ndarray, held: np.ndarray, frame: Frame, count: int
) -> None:
    """What so many moved pixels hold goes from their old regions to the new ones; see `refine`."""
    channels = len(square_weights)
    for k in range(count):
        pixel, old, new = frame.pixel[k], frame.source[k], frame.target[k]
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
    smoothed: np.ndarray,
    smooth_passes: int,
    room: np.ndarray,
) -> None:
    """Let pixels change sides, in place, first by the smoothed picture.

    Args:
        labels: [H·W] uint32, regions; changed.
        height: H.
        width: W.
        features_q: [C, H·W] int32.
        weights: [C] int64, what each channel counts.
        square_weights: [C] int64, and in the sums of squares.
        held: [n, C + 2] int64, what regions hold, see `rounds.describe`; changed.
        passes: How many.
        smoothed: [C, H·W] int32, as `features_q`.
        smooth_passes: How many by these, at first.
        room: See `room`.
    """
    frame, room = empty_frame(height, width, room)
    fill_frame(frame, labels, height, width)
    if smooth_passes > 0:
        taken, rest = take(room, 8 * held.size)
        smoothed_held = taken.view(np.int64).reshape(held.shape)
        pool_pixels(smoothed, square_weights, labels, smoothed_held)
        move_pixels(
            frame,
            height,
            width,
            smoothed,
            weights,
            square_weights,
            smoothed_held,
            0,
            smooth_passes,
            features_q,
            held,
            rest,
        )
    move_pixels(
        frame,
        height,
        width,
        features_q,
        weights,
        square_weights,
        held,
        smooth_passes,
        passes,
        smoothed,
        held[:0],
        room,
    )
    read_frame(frame, height, width, labels)


@kernel
def move_pixels(
    frame: Frame,
    height: int,
    width: int,
    features_q: np.ndarray,
    weights: np.ndarray,
    square_weights: np.ndarray,
    held: np.ndarray,
    before: int,
    passes: int,
    other_q: np.ndarray,
    other_held: np.ndarray,
    room: np.ndarray,
) -> None:
    """Passes by one picture.

    Pixels of a band are found, moved and counted while they are at hand. What they are compared
    with changes between phases only.

    Args:
        frame: The image's regions; changed.
        height: H.
        width: W.
        features_q: [C, H·W] int32.
        weights: [C] int64, what each channel counts.
        square_weights: [C] int64, and in the sums of squares.
        held: [n, C + 2] int64, what regions hold, see `rounds.describe`; changed.
        before: Passes so far.
        passes: How many there are to be.
        other_q: [C, H·W] int32, another picture, which does not decide.
        other_held: [n, C + 2] int64, what regions hold of that; changed. Or [0, C + 2].
        room: See `room`.
    """
    channels, num_regions, rows = len(weights), len(held), band_rows(height, width)
    counts = weights.astype(np.float64)
    changed, room = take(room, num_regions)
    known = take(room, 8 * held.size)[0].view(np.float64).reshape(held.shape)
    for r in range(num_regions):
        update(held, channels, known, r)
        changed[r] = 0
    for now in range(before + 1, before + passes + 1):
        since = now - 1 if now > before + 1 else 0  # at first, all pixels are looked at
        moved = 0
        for phase in range(4):
            columns = columns_of(height, width, phase % 2)
            for begin in range(0, height, rows):
                end = min(begin + rows, height)
                count = find_moves(
                    frame,
                    begin,
                    end,
                    width,
                    phase // 2,
                    columns,
                    since,
                    features_q,
                    counts,
                    known,
                )
                moved += count
                move(frame, count, columns, width, now, changed)
                give(features_q, square_weights, held, frame, count)
                if len(other_held) > 0:
                    give(other_q, square_weights, other_held, frame, count)
            for r in range(num_regions):
                if changed[r]:
                    update(held, channels, known, r)
                    changed[r] = 0
        if moved == 0:
            break
