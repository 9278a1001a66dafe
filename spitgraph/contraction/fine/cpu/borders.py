"""Who touches whom, each pair once: pixel sides and evidence are added up in a hash table.

Places in the table follow the smaller of two regions, so that what is near in the image is near in
memory. Of n connected regions of a grid at most 3n pairs touch: the graph is planar.
"""

from typing import NamedTuple

import numpy as np

from spitgraph.kernels.cpu.jit import kernel, part

#: Places a region.
SPREAD = 4
_NONE = np.uint32(2**32 - 1)


class Borders(NamedTuple):
    """Pairs of regions that touch.

    Attributes:
        u: [E] uint32, the smaller.
        v: [E] uint32, the larger.
        length: [E] int32, pixel sides that they share.
        evidence: [E] int64, how different the pixels are on either side, summed.
        place: [≥ 4n] uint32, the table: which pair is there.
    """

    u: np.ndarray
    v: np.ndarray
    length: np.ndarray
    evidence: np.ndarray
    place: np.ndarray


@kernel
def empty_borders(num_regions: int) -> Borders:
    """Room for the borders of so many regions."""
    most = 3 * num_regions
    return Borders(
        np.empty(most, np.uint32),
        np.empty(most, np.uint32),
        np.empty(most, np.int32),
        np.empty(most, np.int64),
        np.empty(SPREAD * num_regions + 1, np.uint32),
    )


@part
def clear(borders: Borders, num_regions: int) -> None:
    """No pairs yet."""
    for i in range(SPREAD * num_regions + 1):
        borders.place[i] = _NONE


@part
def add(borders: Borders, count: int, end: int, a: int, b: int, length: int, evidence: int) -> int:
    """Add a piece of the border between a and b; which pair that is, `count` if it is new.

    Args:
        borders: Added to.
        count: Pairs so far.
        end: Places of the table that are used.
        a: One region.
        b: The other.
        length: Pixel sides.
        evidence: Summed.
    """
    low, high = min(a, b), max(a, b)
    at = np.int64(low) * SPREAD + (np.int64(high) & (SPREAD - 1))
    while True:
        pair = np.int64(borders.place[at])
        if pair == _NONE:
            pair = count
            borders.place[at] = pair
            borders.u[pair], borders.v[pair] = low, high
            borders.length[pair], borders.evidence[pair] = length, evidence
            return pair
        if borders.u[pair] == low and borders.v[pair] == high:
            borders.length[pair] += length
            borders.evidence[pair] += evidence
            return pair
        at += 1
        if at >= end:
            at = 0


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
    count = 0
    for row in range(0, len(label), width):
        here = label[row : row + width]
        for x in range(width - 1):
            if here[x] != here[x + 1]:
                pair = add(borders, count, end, here[x], here[x + 1], 1, right[row + x])
                count += pair == count
        if row + width < len(label):
            under = label[row + width : row + 2 * width]
            last, last_a, last_b = -1, _NONE, _NONE
            for x in range(width):
                a, b = here[x], under[x]
                if a == b:
                    continue
                if a == last_a and b == last_b:
                    borders.length[last] += 1
                    borders.evidence[last] += below[row + x]
                else:
                    last = add(borders, count, end, a, b, 1, below[row + x])
                    count += last == count
                    last_a, last_b = a, b
    return count


@kernel
def merge_borders(
    cluster: np.ndarray, old: Borders, old_count: int, num_regions: int, borders: Borders
) -> int:
    """The borders of clusters of regions; how many pairs there are."""
    clear(borders, num_regions)
    end = SPREAD * num_regions + 1
    count = 0
    for e in range(old_count):
        a, b = cluster[old.u[e]], cluster[old.v[e]]
        if a != b:
            pair = add(borders, count, end, a, b, old.length[e], old.evidence[e])
            count += pair == count
    return count
