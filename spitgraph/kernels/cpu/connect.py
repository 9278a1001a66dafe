"""Who touches whom at the next level: a list of edges, most of them once (METHOD 2.5).

An edge that is listed twice changes nothing, it only costs: so what was seen lately is kept in a
small table, where a new edge displaces an older one, and edges need not be sorted.
"""

import numpy as np

from spitgraph.kernels.cpu.threads import kernel, part

#: Pixel sides looked at a time.
BLOCK = 512
#: Multipliers that spread the two ends over the table.
_U, _V = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B)
_16, _32 = np.uint32(16), np.uint64(32)
#: No edge: its ends are equal.
_NONE = np.uint64(0)


def table_size(width: int) -> int:
    """Entries, a power of two, for the edges of a few rows of regions."""
    return min(max(1 << (4 * width).bit_length(), 2**10), 2**16)


@kernel
def connect_pixels(
    begin: int,
    end: int,
    width: int,
    label: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    table: np.ndarray,
) -> int:
    """List the edges that cross the pixel sides right of and below the pixels in [begin, end).

    Args:
        begin: First pixel of a row.
        end: Behind the last pixel of a row.
        width: Of a row.
        label: [H·W] uint32, region of each pixel.
        u: [2·(end − begin)] uint32, smaller ends, written.
        v: The same for the larger ends.
        table: [2ᵏ] uint64, what was seen lately.

    Returns:
        How many edges were listed.
    """
    table[:] = _NONE
    written = 0
    for row in range(begin, end, width):
        here = label[row : row + width]
        written = list_sides(here[:-1], here[1:], written, u, v, table)
        if row + width < len(label):
            below = label[row + width : row + 2 * width]
            written = list_sides(here, below, written, u, v, table)
    return written


@kernel
def list_sides(
    one: np.ndarray,
    other: np.ndarray,
    written: int,
    u: np.ndarray,
    v: np.ndarray,
    table: np.ndarray,
) -> int:
    """Add the edges between one[i] and other[i], where they differ; how many edges there are then.

    Each is written behind the others, and stays there only if it was not seen lately.
    """
    crossing = np.empty(BLOCK, np.uint32)
    mask = np.uint32(len(table) - 1)
    for start in range(0, len(one), BLOCK):
        found = 0
        for i in range(start, min(start + BLOCK, len(one))):
            crossing[found] = i
            found += one[i] != other[i]
        for k in range(found):
            a, b = one[crossing[k]], other[crossing[k]]
            low, high = min(a, b), max(a, b)
            place = spread(low, high) & mask
            pair = (np.uint64(low) << _32) | np.uint64(high)
            u[written] = low
            v[written] = high
            written += table[place] != pair
            table[place] = pair
    return written


@kernel
def connect_regions(label: np.ndarray, u: np.ndarray, v: np.ndarray, table: np.ndarray) -> int:
    """Relabel a list of edges in place; how many are left."""
    table[:] = _NONE
    mask = np.uint32(len(table) - 1)
    written = 0
    for e in range(len(u)):
        a, b = label[u[e]], label[v[e]]
        low, high = min(a, b), max(a, b)
        place = spread(low, high) & mask
        pair = (np.uint64(low) << _32) | np.uint64(high)
        u[written] = low
        v[written] = high
        written += (low != high) & (table[place] != pair)
        table[place] = pair
    return written


@part
def spread(low: int, high: int) -> int:
    """A number that differs between edges close by."""
    mixed = low * _U + high * _V
    return mixed ^ (mixed >> _16)
