"""The steps of an image that all threads work on together, where one alone would take long.

What goes pixel by pixel or row by row is shared; regions merge on one thread.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from spitgraph.contraction.cpu.trees import grow_trees, relabel
from spitgraph.contraction.fine.cpu import pixels
from spitgraph.contraction.fine.cpu.frame import (
    Frame,
    Share,
    columns_of,
    empty_frame,
    empty_share,
    fill_rows,
    read_rows,
)
from spitgraph.contraction.fine.cpu.image import Steps
from spitgraph.contraction.fine.cpu.picture import Picture, picture_of, update
from spitgraph.contraction.fine.cpu.pixels import cheapest_directions, cut_directions
from spitgraph.contraction.fine.cpu.refine import is_listed, move, move_some
from spitgraph.contraction.fine.cpu.room import Room
from spitgraph.contraction.fine.cpu.rounds import pool_pixels
from spitgraph.kernels.cpu.threads import for_each

#: Shares a thread: some take longer than others.
SHARES = 4


def shared_rows(height: int) -> list[tuple[int, int]]:
    """Rows of each share, from an even one."""
    rows = -(-height // (2 * SHARES * torch.get_num_threads())) * 2
    return [(begin, min(begin + rows, height)) for begin in range(0, height, rows)]


def for_pixels(height: int, width: int, step: Callable[..., None], *args: Any) -> None:
    """Do a step to whole rows of pixels, share by share."""
    for_each(
        lambda rows: step(rows[0] * width, rows[1] * width, *args),
        shared_rows(height),
    )


def first_regions(
    features_q: np.ndarray,
    weights: np.ndarray,
    width: int,
    right: np.ndarray,
    below: np.ndarray,
    target: int,
    label: np.ndarray,
    block: np.ndarray,
) -> int:
    """See `first.first_regions`."""
    num_pixels = len(label)
    each = partial(for_pixels, num_pixels // width, width)
    patch = Room(block).take(features_q.shape, np.int32)
    each(pixels.sum_patches, features_q, width, patch)
    each(pixels.find_evidence, patch, width, right, below)
    room = Room(block)
    direction = room.take((num_pixels,), np.uint8)
    number = room.take((num_pixels,), np.uint32)
    given = features_q, weights, width, right, below, direction
    each(cheapest_directions, *given, np.empty(0))
    count = grow_trees(direction, width, label, number)
    if count < target:
        strength = room.take((num_pixels,), np.float64)
        each(cheapest_directions, *given, strength)
        cut_directions(direction, strength, width, target, number)
        count = grow_trees(direction, width, label, number)
    each(lambda begin, end: relabel(label[begin:end], number))
    return count


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
    block: np.ndarray,
) -> None:
    """See `refine.refine`."""
    frame, rest = empty_frame(height, width, block)
    shares, rest = empty_shares(labels, height, width, len(held), rest)
    for_each(lambda share: fill_rows(frame, labels, share.begin, share.end, height, width), shares)
    both = weights, square_weights
    if smooth_passes > 0:
        room = Room(rest)
        smoothed_held = room.take(held.shape, np.int64)
        pool_pixels(smoothed, square_weights, labels, smoothed_held)
        picture = picture_of(smoothed, smoothed_held, features_q, held, *both, room.rest)
        move_pixels(frame, shares, height, width, 0, smooth_passes, picture)
    picture = picture_of(features_q, held, smoothed, held[:0], *both, rest)
    move_pixels(frame, shares, height, width, smooth_passes, passes, picture)
    for_each(lambda share: read_rows(frame, labels, share.begin, share.end, height, width), shares)


def empty_shares(
    labels: np.ndarray, height: int, width: int, num_regions: int, rest: np.ndarray
) -> tuple[list[Share], np.ndarray]:
    """The shares of an image, and the room that is left.

    A share's own regions are those up to the largest number in its rows: most of them lie there, as
    they are numbered by their first pixels.
    """
    rows = shared_rows(height)
    last = [0] * len(rows)

    def find_last(k: int) -> None:
        begin, end = rows[k]
        last[k] = int(labels[begin * width : end * width].max())

    for_each(find_last, range(len(rows)))
    beyond = np.maximum.accumulate(last) + 1
    beyond[-1] = num_regions
    shares, first = [], 0
    for (begin, end), behind in zip(rows, beyond.tolist(), strict=True):
        share, rest = empty_share(begin, end, first, behind, width, rest)
        shares.append(share)
        first = behind
    return shares, rest


def move_pixels(
    frame: Frame,
    shares: list[Share],
    height: int,
    width: int,
    before: int,
    passes: int,
    picture: Picture,
) -> None:
    """See `refine.move_pixels`."""
    for now in range(before + 1, before + passes + 1):
        since = now - 1 if now > before + 1 else 0
        for share in shares:
            share.counts[now % 2] = 0
        given = height, width, now, since, picture
        if sum(move_phase(phase, frame, shares, *given) for phase in range(4)) == 0:
            break


def move_phase(
    phase: int,
    frame: Frame,
    shares: list[Share],
    height: int,
    width: int,
    now: int,
    since: int,
    picture: Picture,
) -> int:
    """How many pixels move. Those whose moves reach out of a share wait until all are found."""
    found, left = [0] * len(shares), [0] * len(shares)
    by_list = all(is_listed(share, now, since) for share in shares)

    def move_most(k: int) -> None:
        given = height, width, phase, now, since, by_list, picture
        found[k], left[k] = move_some(frame, shares[k], *given)

    for_each(move_most, range(len(shares)))
    columns = columns_of(height, width, phase % 2)
    for share, waiting in zip(shares, left, strict=True):
        if waiting > 0:
            move(frame, share, 0, waiting, phase, now, columns, picture)
    update(picture)
    return sum(found)


#: By all threads.
TOGETHER = Steps(for_pixels=for_pixels, first_regions=first_regions, refine=refine)
