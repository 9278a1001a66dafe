"""Label maps in few bytes: what a region of the image costs is its border.

A label is most often that of the pixel to the left, else that of the pixel above, else a new one,
else that above to the right. A bit each says so, and only labels that are none of these are written
out. Parent maps are coded the same way: a region stands where its first pixel does.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
#: Where no neighbour is.
NOBODY = -1


class Coded(NamedTuple):
    """A sequence of labels as bits and bytes, and what its labels are called.

    Attributes:
        streams: Bits (left, above, new, above to the right), then the labels left over, as bytes of
            32-bit numbers, all lowest bytes first.
        names: Label of each number, numbered by first occurrence; None where that changes nothing.
    """

    streams: list[bytes]
    names: Integers | None


def coded(labels: Integers, neighbours: tuple[Integers, Integers, Integers]) -> Coded:
    """The labels of some places, in an order in which neighbours come first.

    Args:
        labels: [n], one each of 0 … m − 1 at least.
        neighbours: [n] each, place to the left, above, and above to the right, or −1.
    """
    rank, first, names = by_first(labels)
    seen = np.cumsum(first)  # labels that have occurred
    left_over = np.arange(len(rank))
    streams = []
    for test in (neighbours[0], neighbours[1], None, neighbours[2]):
        if test is None:
            known = first[left_over]
        else:
            other = test[left_over]
            known = (other != NOBODY) & (rank[other] == rank[left_over])
        streams.append(np.packbits(known).tobytes())
        left_over = left_over[~known]
    streams.append(byte_planes(seen[left_over] - 1 - rank[left_over]))
    return Coded(streams, names)


def by_first(labels: Integers) -> tuple[Integers, NDArray[np.bool_], Integers | None]:
    """Labels numbered by first occurrence, where these are, and their names if they had others."""
    used, place = np.unique(labels, return_index=True)
    first = np.zeros(len(labels), bool)
    first[place] = True
    names = used[np.argsort(place)]
    if np.array_equal(names, np.arange(len(names))):
        return labels, first, None
    rank = np.empty(int(used[-1]) + 1, np.int64)
    rank[names] = np.arange(len(names))
    return rank[labels], first, names


def pixel_neighbours(height: int, width: int) -> tuple[Integers, Integers, Integers]:
    """Of each pixel the ones to the left, above, and above to the right; −1 where there is none."""
    place = np.arange(height * width)
    column = place % width
    left = np.where(column > 0, place - 1, NOBODY)
    above = np.maximum(place - width, NOBODY)
    aside = np.where((column < width - 1) & (place >= width), place - width + 1, NOBODY)
    return left, above, aside


def region_neighbours(
    rank: Integers, first: NDArray[np.bool_], pixels: tuple[Integers, Integers, Integers]
) -> tuple[Integers, Integers, Integers]:
    """Of each region the ones beside its first pixel, all of which come before it.

    Args:
        rank: [P], regions of pixels, numbered by first occurrence.
        first: [P], where these are.
        pixels: See `pixel_neighbours`.
    """
    place = np.flatnonzero(first)
    left, above, aside = (
        np.where(other[place] == NOBODY, NOBODY, rank[other[place]]) for other in pixels
    )
    return left, above, aside


def byte_planes(numbers: Integers) -> bytes:
    """Numbers below 2³² as four runs of bytes, the lowest first: small ones compress well."""
    return numbers.astype("<u4").view(np.uint8).reshape(-1, 4).T.tobytes()
