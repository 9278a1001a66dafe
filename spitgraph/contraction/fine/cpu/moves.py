"""Which pixels on borders change sides (`naive.destination`).

Most pixels that are looked at have one region beside their own, and stay. So they are gone through
in steps without branches: a wrong guess of the processor costs more than all that is computed of a
pixel.
"""

from typing import NamedTuple

import numpy as np

from spitgraph.contraction.fine.cpu.room import take
from spitgraph.kernels.cpu.jit import kernel, part

#: Pixels of every second row of a band: with those between, they stay in a processor's cache.
BAND = 2**15


class Frame(NamedTuple):
    """What pixels of an image are moved in.

    Those of a phase lie side by side: pixels of even columns come first, then those of odd ones,
    each with a frame around.

    Attributes:
        label: [2·(H + 2)·S] int32, S = ⌈W / 2⌉ + 2, regions, −1 around the image.
        marked: As `label`, the last pass in which a pixel moved, or a neighbour across a side.
        in_row: [H + 2] int32, the same of any pixel in a row.
        place: [pixels of a phase in a band] int64, of those that move their places in `label`.
        pixel: The same in the image.
        source: As many int32, the regions that they leave.
        target: And those that they go to.
    """

    label: np.ndarray
    marked: np.ndarray
    in_row: np.ndarray
    place: np.ndarray
    pixel: np.ndarray
    source: np.ndarray
    target: np.ndarray


class Columns(NamedTuple):
    """Every second column of an image in its frame.

    Attributes:
        first: 0 or 1.
        length: Pixels of a row.
        start: Place of the first pixel.
        stride: From a place to that below.
        left: From a place to that of the pixel on the left.
        right: And on the right.
    """

    first: int
    length: int
    start: int
    stride: int
    left: int
    right: int


@kernel
def columns_of(height: int, width: int, first: int) -> Columns:
    """The even columns, or the odd ones."""
    stride = (width + 1) // 2 + 2
    half = (height + 2) * stride
    length, start = (width + 1 - first) // 2, first * half + stride + 1
    if first == 0:
        return Columns(first, length, start, stride, half - 1, half)
    return Columns(first, length, start, stride, -half, 1 - half)


@kernel
def band_rows(height: int, width: int) -> int:
    """Rows that are gone through at a time; an even number, or all."""
    return min(max(BAND // width, 1) * 2, height)


@kernel
def empty_frame(height: int, width: int, room: np.ndarray) -> tuple[Frame, np.ndarray]:
    """Frame of an image, to be filled; and the room that is left."""
    places = 4 * 2 * (height + 2) * ((width + 1) // 2 + 2)
    label, room = take(room, places)
    marked, room = take(room, places)
    most = ((band_rows(height, width) + 1) // 2) * ((width + 1) // 2)
    frame = Frame(
        label.view(np.int32),
        marked.view(np.int32),
        np.empty(height + 2, np.int32),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int32),
        np.empty(most, np.int32),
    )
    return frame, room


@kernel
def fill_frame(frame: Frame, labels: np.ndarray, height: int, width: int) -> None:
    """The regions [H·W] uint32 of an image, in which nothing has moved."""
    frame.label[:] = -1
    frame.marked[:] = 0
    frame.in_row[:] = 0
    for y in range(height):
        even, odd, row = rows_of(frame, labels, y, height, width)
        for x in range(len(odd)):
            even[x], odd[x] = row[2 * x], row[2 * x + 1]
        if width % 2 == 1:
            even[len(odd)] = row[width - 1]


@kernel
def read_frame(frame: Frame, height: int, width: int, labels: np.ndarray) -> None:
    """The other way round."""
    for y in range(height):
        even, odd, row = rows_of(frame, labels, y, height, width)
        for x in range(len(odd)):
            row[2 * x], row[2 * x + 1] = even[x], odd[x]
        if width % 2 == 1:
            row[width - 1] = even[len(odd)]


@kernel
def rows_of(
    frame: Frame, labels: np.ndarray, y: int, height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A row in the frame, its pixels of even columns and of odd ones; and in the image."""
    half = (height + 2) * ((width + 1) // 2 + 2)
    even = (y + 1) * ((width + 1) // 2 + 2) + 1
    return (
        frame.label[even : even + (width + 1) // 2],
        frame.label[half + even : half + even + width // 2],
        labels[y * width : (y + 1) * width],
    )


@kernel
def flag_movable(
    label: np.ndarray,
    columns: Columns,
    start: int,
    marked: np.ndarray,
    since: int,
    flags: np.ndarray,
    others: np.ndarray,
) -> None:
    """Which pixels of a row are looked at, touch another region, and leave theirs connected.

    Args:
        label: See `Frame`.
        columns: Of the pixels.
        start: Place of the row's first pixel.
        marked: See `Frame`.
        since: See `find_moves`.
        flags: [≥ pixels] uint8, written: 0; or 1, and 3 where it touches several regions.
        others: [≥ pixels] int32, written: a region that it touches; its own if there is none.
    """
    here, mark, least = label[start:], marked[start:], np.int32(since)
    above, below = label[start - columns.stride :], label[start + columns.stride :]
    before, behind = label[start + columns.left :], label[start + columns.right :]
    before_above = label[start + columns.left - columns.stride :]
    behind_above = label[start + columns.right - columns.stride :]
    before_below = label[start + columns.left + columns.stride :]
    behind_below = label[start + columns.right + columns.stride :]
    for x in range(columns.length):
        own, u, r, d, l = here[x], above[x], behind[x], below[x], before[x]  # noqa: E741
        # Whether the region's arc around the pixel begins there: see `rule.is_simple`.
        at_u = (u == own) & ((before_above[x] != own) | (l != own))
        at_r = (r == own) & ((behind_above[x] != own) | (u != own))
        at_d = (d == own) & ((behind_below[x] != own) | (r != own))
        at_l = (l == own) & ((before_below[x] != own) | (d != own))
        odd = at_u ^ at_r ^ at_d ^ at_l
        many = (at_u & at_r) | (at_d & at_l)
        u, r = own if u < 0 else u, own if r < 0 else r
        d, l = own if d < 0 else d, own if l < 0 else l  # noqa: E741
        other = d if d != own else l
        other = r if r != own else other
        other = u if u != own else other
        several = (
            ((u != own) & (u != other))
            | ((r != own) & (r != other))
            | ((d != own) & (d != other))
            | ((l != own) & (l != other))
        )
        movable = (mark[x] >= least) & (other != own) & odd & (many ^ 1)
        flags[x] = movable * (1 + 2 * several)
        others[x] = other
    for x in range(columns.length, len(flags)):
        flags[x] = 0


@kernel
def keep_flagged(flags: np.ndarray, places: np.ndarray) -> int:
    """Where bytes are odd; in how many places.

    Eight at a time are passed over where none is, as is so of most in later passes.

    Args:
        flags: [n] uint8, n a multiple of eight.
        places: [n] int32, written.
    """
    eights = flags.view(np.uint64)
    count = np.uint32(0)
    for e in range(len(eights)):
        if eights[e] != 0:
            for x in range(8 * e, 8 * e + 8):
                places[count] = x
                count += np.uint32(flags[x] & np.uint8(1))
    return np.int64(count)


@part
def distance(
    features_q: np.ndarray, pixel: int, weights: np.ndarray, known: np.ndarray, region: int
) -> float:
    """Weighted squared distance of a pixel's features from a region's means."""
    if len(weights) == 3:  # as most have: a third faster, written out
        a = np.float64(features_q[0, pixel]) - known[region, 0]
        b = np.float64(features_q[1, pixel]) - known[region, 1]
        c = np.float64(features_q[2, pixel]) - known[region, 2]
        return weights[0] * (a * a) + weights[1] * (b * b) + weights[2] * (c * c)
    total = 0.0
    for k in range(len(weights)):
        away = np.float64(features_q[k, pixel]) - known[region, k]
        total += weights[k] * (away * away)
    return total


@kernel
def cheapest_other(
    label: np.ndarray,
    columns: Columns,
    place: int,
    features_q: np.ndarray,
    pixel: int,
    weights: np.ndarray,
    known: np.ndarray,
) -> tuple[float, int]:
    """What the best of several regions beside a pixel's own costs, and which it is."""
    own, channels = label[place], len(weights)
    best, chosen = np.inf, own
    for step in (-columns.stride, columns.right, columns.stride, columns.left):
        other = label[place + step]
        if other >= 0 and other != own and other != chosen:
            cost = distance(features_q, pixel, weights, known, other) * known[other, channels + 1]
            if cost < best:
                best, chosen = cost, other
    return best, chosen


@kernel
def find_moves(
    frame: Frame,
    begin: int,
    end: int,
    width: int,
    below: int,
    columns: Columns,
    since: int,
    features_q: np.ndarray,
    weights: np.ndarray,
    known: np.ndarray,
) -> int:
    """Which pixels of a phase in a band move, and where to: the `frame`'s last four; how many.

    Args:
        frame: The image's regions, and the last moves.
        begin: First row of the band, an even one.
        end: Behind the last.
        width: W.
        below: 0 for the pixels of even rows, 1 for those of odd ones.
        columns: Of the pixels.
        since: Pixels are looked at that are marked with this pass or a later one.
        features_q: [C, H·W] int32.
        weights: [C] float64.
        known: [n, C + 2] float64; see `refine.update`.
    """
    label, marked, in_row, places, pixels, source, target = frame
    channels = len(weights)
    flags = np.empty(-(-columns.length // 8) * 8, np.uint8)
    others = np.empty(len(flags), np.int32)
    movable = np.empty(len(flags), np.int32)
    found = np.uint32(0)
    for row in range(begin + below, end, 2):
        if in_row[row + 1] < since:
            continue
        start = columns.start + row * columns.stride
        flag_movable(label, columns, start, marked, since, flags, others)
        for k in range(keep_flagged(flags, movable)):
            x = np.int64(movable[k])
            place, pixel = start + x, row * width + columns.first + 2 * x
            own, other = label[place], others[x]
            stays = distance(features_q, pixel, weights, known, own)
            cost = distance(features_q, pixel, weights, known, other)
            stays *= known[own, channels]
            cost *= known[other, channels + 1]
            if flags[x] > 1:
                cost, other = cheapest_other(
                    label, columns, place, features_q, pixel, weights, known
                )
            places[found], pixels[found] = place, pixel
            source[found], target[found] = own, other
            found += np.uint32(cost < stays)
    return np.int64(found)
