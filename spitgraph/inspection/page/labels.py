"""Label maps in few bytes: what a region of the image costs is its border.

A label is most often that of the pixel to the left, else that of the pixel above, else a new one,
else that above to the right. A bit each says so, and only labels that are none of these are written
out. Parent maps are coded the same way: a region stands where its first pixel does.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Truths = NDArray[np.bool_]
#: To the left, above, and above to the right.
Neighbours = tuple[Truths, Truths, Truths]


class Coded(NamedTuple):
    """A sequence of labels as bits and bytes, and what its labels are called.

    Attributes:
        streams: Bits (left, above, new, above to the right), then the labels left over, as bytes of
            32-bit numbers, all lowest bytes first.
        names: Label of each number, numbered by first occurrence; None where that changes nothing.
    """

    streams: list[bytes]
    names: Integers | None


def coded(rank: Integers, first: Truths, known: Neighbours, names: Integers | None) -> Coded:
    """The labels of some places, in an order in which neighbours come first.

    Args:
        rank: [n], labels numbered by first occurrence; see `by_first`.
        first: [n], where these are.
        known: [n] each, whether the place to the left, above, and above to the right has the same.
        names: See `Coded`.
    """
    left, above, aside = known
    seen = np.cumsum(first, dtype=np.int64)  # labels that have occurred
    left_over = np.arange(len(rank))
    streams = []
    for test in (left, above, first, aside):
        is_so = test[left_over]
        streams.append(np.packbits(is_so).tobytes())
        left_over = left_over[~is_so]
    streams.append(byte_planes(seen[left_over] - 1 - rank[left_over]))
    return Coded(streams, names)


def by_first(labels: Integers) -> tuple[Integers, Truths, Integers | None]:
    """Labels 0 … m − 1 numbered by first occurrence, where these are, and their names before.

    Names are None where that changes nothing.
    """
    place = np.empty(int(labels.max()) + 1, np.int64)
    place[labels[::-1]] = np.arange(len(labels) - 1, -1, -1)  # the last one to be written stays
    first = np.zeros(len(labels), bool)
    first[place] = True
    names = np.argsort(place)
    if np.array_equal(names, np.arange(len(names))):
        return labels, first, None
    rank = np.empty_like(names)
    rank[names] = np.arange(len(names))
    return rank[labels], first, names


def pixel_neighbours(rank: Integers) -> Neighbours:
    """Whether pixels of a map [H, W] have the label of those left, above, above right; [H·W]."""
    left, above, aside = (np.zeros(rank.shape, bool) for _ in range(3))
    left[:, 1:] = rank[:, 1:] == rank[:, :-1]
    above[1:] = rank[1:] == rank[:-1]
    aside[1:, :-1] = rank[1:, :-1] == rank[:-1, 1:]
    return left.reshape(-1), above.reshape(-1), aside.reshape(-1)


def region_neighbours(upper: Integers, regions: Integers, place: Integers) -> Neighbours:
    """Whether regions have the parent of those beside their first pixels, which come before them.

    Args:
        upper: [n], parent of each region.
        regions: [H, W], region of each pixel.
        place: [n], first pixel of each region.
    """
    width, flat = regions.shape[1], regions.reshape(-1)
    row, column = np.divmod(place, width)

    def same(step: int, is_there: Truths) -> Truths:
        other = flat[np.where(is_there, place + step, 0)]
        return is_there & (upper[other] == upper)

    return (
        same(-1, column > 0),
        same(-width, row > 0),
        same(1 - width, (row > 0) & (column < width - 1)),
    )


def byte_planes(numbers: Integers) -> bytes:
    """Numbers below 2³² as four runs of bytes, the lowest first: small ones compress well."""
    return numbers.astype("<u4").view(np.uint8).reshape(-1, 4).T.tobytes()
