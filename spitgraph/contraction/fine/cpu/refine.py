"""Pixels on borders change sides (`naive.refine`), phase by phase."""

import numpy as np

from spitgraph.contraction.fine.cpu.frame import (
    Columns,
    Frame,
    Share,
    columns_of,
    empty_frame,
    empty_share,
    fill_rows,
    read_rows,
)
from spitgraph.contraction.fine.cpu.moves import find_in_list, find_in_rows
from spitgraph.contraction.fine.cpu.picture import Picture, give, picture_of, update
from spitgraph.contraction.fine.cpu.room import take
from spitgraph.contraction.fine.cpu.rounds import pool_pixels
from spitgraph.kernels.cpu.jit import kernel, part

#: Pixels of every second row of a band: with those between, they stay in a processor's cache.
BAND = 2**15


@part
def mark(frame: Frame, place: int, now: int, listed: np.ndarray, count: int) -> int:
    """Mark a place, and list it if it was not, and is in the image; how many are listed then."""
    listed[count] = place
    count += (frame.marked[place] != now) & (frame.label[place] >= 0)
    frame.marked[place] = now
    return count


@kernel
def move(
    frame: Frame,
    share: Share,
    begin: int,
    end: int,
    phase: int,
    now: int,
    columns: Columns,
    picture: Picture,
) -> None:
    """The pixels in [begin, end) of those that were found go to their new regions."""
    listed, counts = share.listed[now % 2], share.counts[now % 2]
    itself, beside, over = phase, phase ^ 1, phase ^ 2
    for other in range(4):
        if counts[other] + 2 * (end - begin) > listed.shape[1]:
            counts[itself] = -1
    if counts[itself] < 0:
        counts[:] = -1
        for k in range(begin, end):
            place = share.place[k]
            frame.label[place] = share.target[k]
            for step in (-columns.stride, columns.left, 0, columns.right, columns.stride):
                frame.marked[place + step] = now
    else:
        for k in range(begin, end):
            place = share.place[k]
            frame.label[place] = share.target[k]
            counts[itself] = mark(frame, place, now, listed[itself], counts[itself])
            for step in (-columns.stride, columns.stride):
                counts[over] = mark(frame, place + step, now, listed[over], counts[over])
            for step in (columns.left, columns.right):
                counts[beside] = mark(frame, place + step, now, listed[beside], counts[beside])
    for k in range(begin, end):
        pixel, old, new = share.pixel[k], share.source[k], share.target[k]
        picture.changed[old] = picture.changed[new] = 1
        give(picture.features_q, picture.square_weights, picture.held, pixel, old, new)
    if len(picture.other_held) > 0:
        for k in range(begin, end):
            pixel, old, new = share.pixel[k], share.source[k], share.target[k]
            give(picture.other_q, picture.square_weights, picture.other_held, pixel, old, new)


@kernel
def set_apart(share: Share, begin: int, end: int, height: int, width: int, num_regions: int) -> int:
    """Of the pixels in [begin, end) put first those whose moves reach out of the share; their end.

    They change regions that are not its own, or mark pixels of other rows.
    """
    is_first, is_last = share.begin == 0, share.end == height
    if is_first and is_last and share.beyond - share.first == num_regions:
        return begin
    low = (share.begin + (0 if is_first else 1)) * width
    high = (share.end - (0 if is_last else 1)) * width
    place, pixel, source, target = share.place, share.pixel, share.source, share.target
    for k in range(begin, end):
        p, old, new = pixel[k], source[k], target[k]
        inside = (min(old, new) >= share.first) & (max(old, new) < share.beyond)
        inside &= (p >= low) & (p < high)
        place[k], place[begin] = place[begin], place[k]
        pixel[k], pixel[begin] = pixel[begin], pixel[k]
        source[k], source[begin] = source[begin], source[k]
        target[k], target[begin] = target[begin], target[k]
        begin += inside ^ 1
    return begin


@kernel
def is_listed(share: Share, now: int, since: int) -> bool:
    """Whether all pixels that a pass has still to look at are listed, of those marked up to now."""
    return since > 0 and share.counts[since % 2, 0] >= 0 and share.counts[now % 2, 0] >= 0


@kernel
def move_some(
    frame: Frame,
    share: Share,
    height: int,
    width: int,
    phase: int,
    now: int,
    since: int,
    by_list: bool,
    picture: Picture,
) -> tuple[int, int]:
    """A phase of a share: how many pixels are found, and how many of them are left to be moved.

    Those reach out of the share. Pixels of a band are found and moved while they are at hand.

    Args:
        frame: The image's regions, and the last moves.
        share: What is gone through.
        height: H.
        width: W.
        phase: From 0 to 3.
        now: The pass.
        since: Pixels are looked at that are marked with this pass or a later one.
        by_list: Whether all shares have listed them.
        picture: What they are moved by.
    """
    columns, n = columns_of(height, width, phase % 2), len(picture.held)
    features_q, known, left = picture.features_q, picture.known, np.int64(0)
    weights = picture.weights.astype(np.float64)
    if by_list:
        found = np.int64(0)
        for when in (now, since):
            listed = share.listed[when % 2, phase, : share.counts[when % 2, phase]]
            found = find_in_list(
                frame, share, found, listed, when, width, columns, features_q, weights, known
            )
        left = set_apart(share, 0, found, height, width, n)
        move(frame, share, left, found, phase, now, columns, picture)
        return found, left
    rows, total = band_rows(height, width), 0
    for begin in range(share.begin, share.end, rows):
        end = min(begin + rows, share.end)
        found = find_in_rows(
            frame,
            share,
            left,
            begin,
            end,
            width,
            phase // 2,
            columns,
            since,
            features_q,
            weights,
            known,
        )
        total += found - left
        left = set_apart(share, left, found, height, width, n)
        move(frame, share, left, found, phase, now, columns, picture)
    return total, left


@kernel
def band_rows(height: int, width: int) -> int:
    """Rows that are gone through at a time; an even number, or all."""
    return min(max(BAND // width, 1) * 2, height)


@kernel
def move_pixels(
    frame: Frame,
    share: Share,
    height: int,
    width: int,
    before: int,
    passes: int,
    picture: Picture,
) -> None:
    """Passes by one picture, of an image that is one share; what is compared changes by phase.

    Args:
        frame: The image's regions; changed.
        share: All of them.
        height: H.
        width: W.
        before: Passes so far.
        passes: How many there are to be.
        picture: What pixels are moved by.
    """
    for now in range(before + 1, before + passes + 1):
        since = now - 1 if now > before + 1 else 0  # at first, all pixels are looked at
        share.counts[now % 2] = 0  # nothing is marked with this pass yet
        moved = 0
        for phase in range(4):
            by_list = is_listed(share, now, since)
            found, _ = move_some(frame, share, height, width, phase, now, since, by_list, picture)
            moved += found
            update(picture)
        if moved == 0:
            break


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
    share, room = empty_share(0, height, 0, len(held), width, room)
    fill_rows(frame, labels, 0, height, height, width)
    if smooth_passes > 0:
        taken, rest = take(room, 8 * held.size)
        smoothed_held = taken.view(np.int64).reshape(held.shape)
        pool_pixels(smoothed, square_weights, labels, smoothed_held)
        picture = picture_of(
            smoothed, smoothed_held, features_q, held, weights, square_weights, rest
        )
        move_pixels(frame, share, height, width, 0, smooth_passes, picture)
    picture = picture_of(features_q, held, smoothed, held[:0], weights, square_weights, room)
    move_pixels(frame, share, height, width, smooth_passes, passes, picture)
    read_rows(frame, labels, 0, height, height, width)
