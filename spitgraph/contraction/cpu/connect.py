"""Who touches whom at the next level: a list of edges, most of them once (METHOD 2.5).

An edge that is listed twice changes nothing, it only costs. Of a straight border between two
regions of pixels, the first side is listed. Later on, what was seen lately is kept in a small
table, where a new edge displaces an older one. So edges need not be sorted.
"""

import numpy as np

from spitgraph.kernels.cpu.jit import kernel, part

#: Edges relabelled at a time.
BLOCK = 1024
#: Multipliers that spread the two ends over the table.
_U, _V = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B)
_0, _1, _16, _32 = np.uint32(0), np.uint32(1), np.uint32(16), np.uint64(32)
#: No edge: its ends are equal.
_NONE = np.uint64(0)


def table_size(width: int) -> int:
    """Entries, a power of two, for the edges of a few rows of regions."""
    return min(max(1 << (4 * width).bit_length(), 2**10), 2**16)


@kernel
def connect_pixels(
    begin: int, end: int, width: int, label: np.ndarray, u: np.ndarray, v: np.ndarray
) -> int:
    """List the edges that cross the pixel sides right of and below the pixels in [begin, end).

    Args:
        begin: First pixel of a row.
        end: Behind the last pixel of a row.
        width: Of a row.
        label: [H·W] uint32, region of each pixel.
        u: [2·(end − begin)] uint32, smaller ends, written.
        v: The same for the larger ends.

    Returns:
        How many edges were listed.
    """
    is_border = np.empty(width, np.uint8)  # whether a border begins here
    border_at = np.empty(width, np.uint32)  # columns where one does
    above = label[begin : begin + width]
    written = 0
    for row in range(begin, end, width):
        here = label[row : row + width]
        if row == begin:
            for x in range(width - 1):
                is_border[x] = here[x] != here[x + 1]
        else:
            for x in range(width - 1):
                a, b = here[x], here[x + 1]
                is_border[x] = (a != b) & ((a != above[x]) | (b != above[x + 1]))
        found = _0
        for x in range(width - 1):
            border_at[found] = x
            found += is_border[x]
        low, high = u[written : written + width], v[written : written + width]
        for k in range(found):
            a, b = here[border_at[k]], here[border_at[k] + _1]
            low[k], high[k] = min(a, b), max(a, b)
        written += np.int64(found)
        above = here
        if row + width < len(label):
            below = label[row + width : row + 2 * width]
            is_border[0] = here[0] != below[0]
            for x in range(1, width):
                a, b = here[x], below[x]
                is_border[x] = (a != b) & ((a != here[x - 1]) | (b != below[x - 1]))
            found = _0
            for x in range(width):
                border_at[found] = x
                found += is_border[x]
            low, high = u[written : written + width], v[written : written + width]
            for k in range(found):
                a, b = here[border_at[k]], below[border_at[k]]
                low[k], high[k] = min(a, b), max(a, b)
            written += np.int64(found)
    return written


@kernel
def merge_edges(label: np.ndarray, u: np.ndarray, v: np.ndarray, table: np.ndarray) -> int:
    """Relabel a list of edges in place; how many are left.

    Args:
        label: [n] uint32, cluster of each region.
        u: [E] uint32, one end of each edge; then the smaller ends of those that are left.
        v: [E] uint32, the other; then the larger ends.
        table: [2ᵏ] uint64, working memory: edges seen lately.
    """
    table[:] = _NONE
    mask = np.uint32(len(table) - 1)
    lows, highs = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.uint32)
    written = 0
    for start in range(0, len(u), BLOCK):
        ends_u, ends_v = u[start : start + BLOCK], v[start : start + BLOCK]
        found = _0  # of edges between two clusters: only these are looked for in the table
        for e in range(len(ends_u)):
            a, b = label[ends_u[e]], label[ends_v[e]]
            lows[found], highs[found] = min(a, b), max(a, b)
            found += _1 if a != b else _0
        low, high = u[written:], v[written:]
        kept = _0
        for k in range(found):
            slot = hash_pair(lows[k], highs[k]) & mask
            pair = (np.uint64(lows[k]) << _32) | np.uint64(highs[k])
            low[kept], high[kept] = lows[k], highs[k]
            kept += _1 if table[slot] != pair else _0
            table[slot] = pair
        written += np.int64(kept)
    return written


@part
def hash_pair(low: int, high: int) -> int:
    """A number that differs between edges close by."""
    mixed = low * _U + high * _V
    return mixed ^ (mixed >> _16)
