"""Who touches whom, each pair once: pixel sides and evidence are added up in a hash table.

Places in the table follow the smaller of two regions, so that what is near in the image is near in
memory. Of n connected regions of a grid at most 3n pairs touch: the graph is planar.
"""

from typing import NamedTuple

import numpy as np

from spitgraph.contraction.fine.cpu.room import take
from spitgraph.kernels.cpu.jit import kernel, part

#: Places a region.
SPREAD = 8
#: Pairs at a time, when regions have merged.
SOME = 512
_NONE = np.uint32(2**32 - 1)


class Borders(NamedTuple):
    """Pairs of regions that touch.

    Attributes:
        u: [E] uint32, the smaller.
        v: [E] uint32, the larger.
        length: [E] int32, pixel sides that they share.
        evidence: [E] int64, how different the pixels are on either side, summed.
        cost: [E] float64, what it costs to merge the two.
        fresh: [spans, 2] int64, from which to which pair costs are yet to be computed.
        place: [≥ SPREAD · n + 1] uint32, the table: which pair is there.
    """

    u: np.ndarray
    v: np.ndarray
    length: np.ndarray
    evidence: np.ndarray
    cost: np.ndarray
    fresh: np.ndarray
    place: np.ndarray


@kernel
def empty_borders(
    num_regions: int, old_count: int, place: np.ndarray, room: np.ndarray
) -> tuple[Borders, np.ndarray]:
    """The borders of so many regions, from so many pairs; and the room that is left."""
    spans = max(-(-old_count // SOME), 1)
    most = 3 * num_regions
    u, room = take(room, 4 * most)
    v, room = take(room, 4 * most)
    length, room = take(room, 4 * most)
    evidence, room = take(room, 8 * most)
    cost, room = take(room, 8 * most)
    fresh, room = take(room, 16 * spans)
    borders = Borders(
        u.view(np.uint32),
        v.view(np.uint32),
        length.view(np.int32),
        evidence.view(np.int64),
        cost.view(np.float64),
        fresh.view(np.int64).reshape(spans, 2),
        place,
    )
    return borders, room


@part
def clear(borders: Borders, num_regions: int) -> None:
    """No pairs yet."""
    for i in range(SPREAD * num_regions + 1):
        borders.place[i] = _NONE


@kernel
def find_pair(borders: Borders, count: int, end: int, a: int, b: int) -> int:
    """Which pair a and b are; it is `count`, with no border yet, if it is new.

    Args:
        borders: Where it is looked for, and put.
        count: Pairs so far.
        end: Places of the table that are used.
        a: One region.
        b: The other.
    """
    low, high = min(a, b), max(a, b)
    at = np.int64(low) * SPREAD + (np.int64(high) & (SPREAD - 1))
    while True:
        pair = np.int64(borders.place[at])
        if pair == _NONE:
            borders.place[at] = count
            borders.u[count], borders.v[count] = low, high
            borders.length[count] = borders.evidence[count] = 0
            return count
        if borders.u[pair] == low and borders.v[pair] == high:
            return pair
        at += 1
        if at >= end:
            at = 0


@kernel
def differing(one: np.ndarray, other: np.ndarray, places: np.ndarray) -> int:
    """Where two rows differ; in how many places."""
    count = np.uint32(0)
    for x in range(len(other)):
        places[count] = x
        count += np.uint32(one[x] != other[x])
    return np.int64(count)


@kernel
def list_borders(
    label: np.ndarray,
    width: int,
    num_regions: int,
    right: np.ndarray,
    below: np.ndarray,
    borders: Borders,
) -> int:
    """The borders of regions of pixels; how many pairs there are."""
    clear(borders, num_regions)
    end = SPREAD * num_regions + 1
    places = np.empty(width, np.int32)
    count = 0
    for row in range(0, len(label), width):
        here = label[row : row + width]
        for k in range(differing(here, here[1:], places)):
            x = places[k]
            pair = find_pair(borders, count, end, here[x], here[x + 1])
            borders.length[pair] += 1
            borders.evidence[pair] += right[row + x]
            count += pair == count
        if row + width < len(label):
            under = label[row + width : row + 2 * width]
            pair, last_a, last_b = 0, _NONE, _NONE
            for k in range(differing(here, under, places)):
                x = places[k]
                a, b = here[x], under[x]
                if a != last_a or b != last_b:
                    pair = find_pair(borders, count, end, a, b)
                    last_a, last_b = a, b
                borders.length[pair] += 1
                borders.evidence[pair] += below[row + x]
                count += pair == count
    borders.fresh[0, 0], borders.fresh[0, 1] = 0, count
    return count


@kernel
def merge_borders(
    cluster: np.ndarray,
    old: Borders,
    old_count: int,
    num_regions: int,
    borders: Borders,
    room: np.ndarray,
) -> int:
    """The borders of clusters of regions; how many pairs there are.

    A pair of regions that stay alone goes on as it is, and costs what it did: no other can become
    the same. Some pairs are gone through at a time, so that all stay in the order of the image.

    Args:
        cluster: [old n] uint32, of each region; numbered by their first members.
        old: The borders of regions.
        old_count: How many.
        num_regions: How many clusters.
        borders: Written.
        room: See `room`.
    """
    clear(borders, num_regions)
    members = take(room, 4 * num_regions)[0].view(np.int32)
    members[:] = 0
    for r in range(len(cluster)):
        members[cluster[r]] += 1
    others = np.empty(SOME, np.int32)
    end, count = SPREAD * num_regions + 1, 0
    for start in range(0, old_count, SOME):
        at, waiting = np.uint32(count), np.uint32(0)
        for e in range(start, min(start + SOME, old_count)):
            a, b = cluster[old.u[e]], cluster[old.v[e]]
            borders.u[at], borders.v[at] = a, b
            borders.length[at], borders.evidence[at] = old.length[e], old.evidence[e]
            borders.cost[at] = old.cost[e]
            alone = members[a] + members[b] == 2
            at += np.uint32((a != b) & alone)
            others[waiting] = e
            waiting += np.uint32((a != b) & (alone ^ 1))
        count = np.int64(at)
        borders.fresh[start // SOME, 0] = count
        for k in range(np.int64(waiting)):
            e = others[k]
            pair = find_pair(borders, count, end, cluster[old.u[e]], cluster[old.v[e]])
            borders.length[pair] += old.length[e]
            borders.evidence[pair] += old.evidence[e]
            count += pair == count
        borders.fresh[start // SOME, 1] = count
    return count
