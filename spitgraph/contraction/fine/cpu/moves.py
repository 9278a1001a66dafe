"""Which pixels on borders change sides (`naive.destination`).

Most pixels that are looked at have one region beside their own, and stay. So they are gone through
in steps without branches: a wrong guess of the processor costs more than all that is computed of a
pixel.
"""

from typing import NamedTuple

import numpy as np

from spitgraph.contraction.fine.cpu.room import take
from spitgraph.kernels.cpu.jit import kernel

#: Pixels of every second row of a band: with those between, they stay in a processor's cache.
BAND = 2**14


class Frame(NamedTuple):
    """What pixels of an image are moved in.

    Attributes:
        label: [(H + 2)·(W + 2)] int32, regions, −1 around the image.
        marked: As `label`, the last pass in which a pixel moved, or a neighbour across a side.
        in_row: [H + 2] int32, the same of any pixel in a row.
        moving: [pixels of a phase in a band] int32, of those that move their places in `label`.
        pixels: The same in the image.
        target: The same for the regions that they go to.
    """

    label: np.ndarray
    marked: np.ndarray
    in_row: np.ndarray
    moving: np.ndarray
    pixels: np.ndarray
    target: np.ndarray


@kernel
def band_rows(height: int, width: int) -> int:
    """Rows that are gone through at a time; an even number, or all."""
    return min(max(BAND // width, 1) * 2, height)


@kernel
def empty_frame(height: int, width: int, room: np.ndarray) -> tuple[Frame, np.ndarray]:
    """Frame of an image, to be filled; and the room that is left."""
    places = 4 * (height + 2) * (width + 2)
    label, room = take(room, places)
    marked, room = take(room, places)
    most = ((band_rows(height, width) + 1) // 2) * ((width + 1) // 2)
    frame = Frame(
        label.view(np.int32),
        marked.view(np.int32),
        np.empty(height + 2, np.int32),
        np.empty(most, np.int32),
        np.empty(most, np.int32),
        np.empty(most, np.int32),
    )
    return frame, room


@kernel
def fill_frame(frame: Frame, labels: np.ndarray, height: int, width: int) -> None:
    """The regions [H·W] uint32 of an image, in which nothing has moved."""
    stride = width + 2
    frame.label[:] = -1
    frame.marked[:] = 0
    frame.in_row[:] = 0
    for y in range(height):
        at = (y + 1) * stride + 1
        for x in range(width):
            frame.label[at + x] = labels[y * width + x]


@kernel
def flag_movable(
    label: np.ndarray, stride: int, start: int, marked: np.ndarray, since: int, flags: np.ndarray
) -> None:
    """Which pixels of a row are looked at, touch another region, and leave theirs connected.

    Args:
        label: [(H + 2)·(W + 2)] int32, regions, −1 around the image.
        stride: W + 2.
        start: Place of the row's first pixel.
        marked: See `Frame`.
        since: See `find_moves`.
        flags: [W] uint8, written.
    """
    width = stride - 2
    here, mark, least = label[start : start + width], marked[start : start + width], np.int32(since)
    above, below = label[start - stride :], label[start + stride :]
    before, behind = label[start - 1 :], label[start + 1 :]
    before_above, behind_above = label[start - stride - 1 :], label[start - stride + 1 :]
    before_below, behind_below = label[start + stride - 1 :], label[start + stride + 1 :]
    for x in range(width):
        own, u, r, d, l = here[x], above[x], behind[x], below[x], before[x]  # noqa: E741
        touches = (
            ((u != own) & (u >= 0))
            | ((r != own) & (r >= 0))
            | ((d != own) & (d >= 0))
            | ((l != own) & (l >= 0))
        )
        # Whether the region's arc around the pixel begins there: see `rule.is_simple`.
        at_u = (u == own) & ((before_above[x] != own) | (l != own))
        at_r = (r == own) & ((behind_above[x] != own) | (u != own))
        at_d = (d == own) & ((behind_below[x] != own) | (r != own))
        at_l = (l == own) & ((before_below[x] != own) | (d != own))
        odd = at_u ^ at_r ^ at_d ^ at_l
        many = (at_u & at_r) | (at_d & at_l)
        flags[x] = (mark[x] >= least) & touches & odd & (many ^ 1)


@kernel
def keep_flagged(flags: np.ndarray, first: int, start: int, places: np.ndarray) -> int:
    """Places of every second pixel from the `first` on that is flagged; how many.

    Eight at a time are passed over where none is, as is so of most in later passes.

    Args:
        flags: [W] uint8, and zeros up to a multiple of eight.
        first: 0 or 1.
        start: Place of pixel 0.
        places: [≥ W / 2 + 1] int32, written.
    """
    eights = flags.view(np.uint64)
    count = np.uint32(0)
    for e in range(len(eights)):
        if eights[e] != 0:
            for x in range(8 * e + first, 8 * e + 8, 2):
                places[count] = start + x
                count += np.uint32(flags[x])
    return np.int64(count)


@kernel
def cheapest_other(
    label: np.ndarray,
    stride: int,
    p: int,
    pixel: int,
    features_q: np.ndarray,
    weights: np.ndarray,
    known: np.ndarray,
) -> tuple[float, int]:
    """What the best of several regions beside a pixel's own costs, and which it is."""
    region, channels = label[p], len(weights)
    best, chosen = np.inf, region
    for step in (-stride, 1, stride, -1):
        other = label[p + step]
        if other >= 0 and other != region and other != chosen:
            cost = 0.0
            for c in range(channels):
                away = np.float64(features_q[c, pixel]) - known[other, c]
                cost += weights[c] * (away * away)
            cost = cost * known[other, channels + 1]
            if cost < best:
                best, chosen = cost, other
    return best, chosen


@kernel
def find_moves(
    frame: Frame,
    begin: int,
    end: int,
    width: int,
    phase: int,
    since: int,
    features_q: np.ndarray,
    weights: np.ndarray,
    known: np.ndarray,
) -> int:
    """Which pixels of a phase in a band move, and where to: the `frame`'s last three; how many.

    Args:
        frame: The image's regions, and the last moves.
        begin: First row of the band.
        end: Behind the last.
        width: W.
        phase: 2·(y mod 2) + x mod 2 of the pixels.
        since: Pixels are looked at that are marked with this pass or a later one.
        features_q: [C, H·W] int32.
        weights: [C] float64.
        known: [n, C + 2] float64; see `refine.update`.
    """
    label, marked, in_row, moving, pixels, target = frame
    stride, channels = width + 2, len(weights)
    first, second, third = (
        (weights[0], weights[1], weights[2]) if channels == 3 else (0.0, 0.0, 0.0)
    )
    flags = np.zeros(-(-width // 8) * 8, np.uint8)
    places = np.empty(len(flags), np.int32)
    found = np.uint32(0)
    for row in range(begin + phase // 2, end, 2):
        if in_row[row + 1] < since:
            continue
        start = (row + 1) * stride + 1
        flag_movable(label, stride, start, marked, since, flags[:width])
        for k in range(keep_flagged(flags, phase % 2, start, places)):
            p = places[k]
            region = label[p]
            up, right, down, left = label[p - stride], label[p + 1], label[p + stride], label[p - 1]
            other = up if up != region else right if right != region else down
            other = left if other == region else other
            single = (
                ((up == region) | (up == other))
                & ((right == region) | (right == other))
                & ((down == region) | (down == other))
                & ((left == region) | (left == other))
                & (other >= 0)
            )
            pixel = row * width + p - start
            if channels == 3:  # as most have: a third faster, written out
                x = np.float64(features_q[0, pixel])
                y = np.float64(features_q[1, pixel])
                z = np.float64(features_q[2, pixel])
                a, b, c = x - known[region, 0], y - known[region, 1], z - known[region, 2]
                stays = first * (a * a) + second * (b * b) + third * (c * c)
                a, b, c = x - known[other, 0], y - known[other, 1], z - known[other, 2]
                cost = first * (a * a) + second * (b * b) + third * (c * c)
            else:
                stays = cost = 0.0
                for j in range(channels):
                    value = np.float64(features_q[j, pixel])
                    a, b = value - known[region, j], value - known[other, j]
                    stays += weights[j] * (a * a)
                    cost += weights[j] * (b * b)
            stays *= known[region, channels]
            cost *= known[other, channels + 1]
            if not single:
                cost, other = cheapest_other(label, stride, p, pixel, features_q, weights, known)
            moving[found], pixels[found], target[found] = p, pixel, other
            found += np.uint32((cost < stays) & (other != region))
    return np.int64(found)
