"""Which pixels on borders change sides (`naive.destination`).

Most pixels that are looked at have one region beside their own, and stay. So they are gone through
in steps without branches: a wrong guess of the processor costs more than all that is computed of a
pixel.
"""

import numpy as np

from spitgraph.contraction.fine.cpu.frame import Columns, Frame, Share
from spitgraph.kernels.cpu.jit import kernel, part

#: What is known of regions behind their means, from `channels` on: see `picture.update`.
LEAVE, JOIN = 0, 1


@part
def where_to(
    own: int,
    u: int,
    ru: int,
    r: int,
    rd: int,
    d: int,
    ld: int,
    l: int,  # noqa: E741
    lu: int,
) -> tuple[bool, bool, int]:
    """Whether a pixel touches another region and leaves its own connected; whether several; one.

    Args:
        own: Its region.
        u: Of the pixel above.
        ru: Of the next one clockwise, right of that.
        r: And so on.
        rd: See `r`.
        d: See `r`.
        ld: See `r`.
        l: See `r`.
        lu: See `r`.
    """
    # Whether the region's arc around the pixel begins there: see `rule.is_simple`.
    at_u = (u == own) & ((lu != own) | (l != own))
    at_r = (r == own) & ((ru != own) | (u != own))
    at_d = (d == own) & ((rd != own) | (r != own))
    at_l = (l == own) & ((ld != own) | (d != own))
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
    return (other != own) & odd & (many ^ True), several, other


@kernel
def flag_row(
    label: np.ndarray,
    columns: Columns,
    start: int,
    marked: np.ndarray,
    since: int,
    flags: np.ndarray,
    others: np.ndarray,
) -> None:
    """Which pixels of a row are looked at and may move, and where to; see `where_to`.

    Args:
        label: See `Frame`.
        columns: Of the pixels.
        start: Place of the row's first pixel.
        marked: See `Frame`.
        since: See `find_in_rows`.
        flags: [≥ pixels] uint8, written.
        others: [≥ pixels] int32, written.
    """
    here, mark, least = label[start:], marked[start:], np.int32(since)
    above, below = label[start - columns.stride :], label[start + columns.stride :]
    before, behind = label[start + columns.left :], label[start + columns.right :]
    before_above = label[start + columns.left - columns.stride :]
    behind_above = label[start + columns.right - columns.stride :]
    before_below = label[start + columns.left + columns.stride :]
    behind_below = label[start + columns.right + columns.stride :]
    for x in range(columns.length):
        can, several, other = where_to(
            here[x],
            above[x],
            behind_above[x],
            behind[x],
            behind_below[x],
            below[x],
            before_below[x],
            before[x],
            before_above[x],
        )
        flags[x] = ((mark[x] >= least) & can) * (1 + 2 * several)
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


@part
def cost_of(
    features_q: np.ndarray,
    pixel: int,
    weights: np.ndarray,
    known: np.ndarray,
    region: int,
    how: int,
) -> float:
    """What a pixel costs in a region that it would `LEAVE` or `JOIN`."""
    away = distance(features_q, pixel, weights, known, region)
    return away * known[region, len(weights) + how]


@kernel
def find_in_rows(
    frame: Frame,
    share: Share,
    found: int,
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
    """Which pixels of a phase move, and where to; how many are found then.

    Args:
        frame: The image's regions, and the last moves.
        share: Where those that are found go.
        found: So many are there before.
        begin: First row, an even one.
        end: Behind the last.
        width: W.
        below: 0 for the pixels of even rows, 1 for those of odd ones.
        columns: Of the pixels.
        since: Pixels are looked at that are marked with this pass or a later one.
        features_q: [C, H·W] int32.
        weights: [C] float64.
        known: [n, C + 2] float64; see `picture.update`.
    """
    label = frame.label
    flags = np.empty(-(-columns.length // 8) * 8, np.uint8)
    others = np.empty(len(flags), np.int32)
    movable = np.empty(len(flags), np.int32)
    count = np.uint32(found)
    for row in range(begin + below, end, 2):
        start = columns.start + row * columns.stride
        flag_row(label, columns, start, frame.marked, since, flags, others)
        for k in range(keep_flagged(flags, movable)):
            x = np.int64(movable[k])
            place, pixel = start + x, row * width + columns.first + 2 * x
            own, other = label[place], others[x]
            stays = cost_of(features_q, pixel, weights, known, own, LEAVE)
            cost = cost_of(features_q, pixel, weights, known, other, JOIN)
            if flags[x] > 1:
                cost, other = cheapest_other(
                    label, columns, place, features_q, pixel, weights, known
                )
            share.place[count], share.pixel[count] = place, pixel
            share.source[count], share.target[count] = own, other
            count += np.uint32(cost < stays)
    return np.int64(count)


@kernel
def find_in_list(
    frame: Frame,
    share: Share,
    found: int,
    listed: np.ndarray,
    now: int,
    width: int,
    columns: Columns,
    features_q: np.ndarray,
    weights: np.ndarray,
    known: np.ndarray,
) -> int:
    """The same of pixels that are listed: those marked with pass `now`, and with no later one."""
    label, marked = frame.label, frame.marked
    stride, right, left = columns.stride, columns.right, columns.left
    count = np.uint32(0)
    places, targets, flags = share.place[found:], share.target[found:], share.source[found:]
    for k in range(len(listed)):
        place = listed[k]
        can, several, other = where_to(
            label[place],
            label[place - stride],
            label[place + right - stride],
            label[place + right],
            label[place + right + stride],
            label[place + stride],
            label[place + left + stride],
            label[place + left],
            label[place + left - stride],
        )
        places[count], targets[count], flags[count] = place, other, several
        count += np.uint32(can & (marked[place] == now))
    kept = np.uint32(found)
    for k in range(np.int64(count)):
        place = places[k]
        row = np.uint32(place - columns.start) // np.uint32(stride)
        x = place - columns.start - np.int64(row) * stride
        pixel = np.int64(row) * width + columns.first + 2 * x
        own, other = label[place], targets[k]
        stays = cost_of(features_q, pixel, weights, known, own, LEAVE)
        cost = cost_of(features_q, pixel, weights, known, other, JOIN)
        if flags[k]:
            cost, other = cheapest_other(label, columns, place, features_q, pixel, weights, known)
        share.place[kept], share.pixel[kept] = place, pixel
        share.source[kept], share.target[kept] = own, other
        kept += np.uint32(cost < stays)
    return np.int64(kept)
