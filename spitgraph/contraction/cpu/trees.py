"""Pixels whose strongest edges touch → trees of pixels: level 1 of the hierarchy (METHOD 2.5).

Row by row: pixels joined along a row are a run; a run belongs to the tree above that it is joined
to, or begins a new one. Few runs are joined to several, which makes these trees one.

Rows come in chunks, whose trees are numbered from 0 in each, in order of their first pixels. Then
trees that are joined across the border of two chunks become one.
"""

import numpy as np

from spitgraph.contraction.cpu.grid import DOWN, UP
from spitgraph.kernels.cpu.jit import kernel, part

_NONE = np.uint32(2**32 - 1)
#: The bit of LEFT, and shifts that bring other bits to its place.
_LEFT, _RIGHT_TO_LEFT, _UP_TO_LEFT, _DOWN_TO_LEFT = (np.uint8(x) for x in (1, 1, 2, 3))
_0, _1, _FIRST = np.uint32(0), np.uint32(1), np.int64(0)


@kernel
def grow_trees(way: np.ndarray, width: int, label: np.ndarray, number: np.ndarray) -> int:
    """Trees of the pixels of a chunk; how many there are.

    Args:
        way: [n] uint8, the way to the neighbour that each pixel is joined to.
        width: W.
        label: [n] uint32, written: preliminary number of each pixel's tree.
        number: [≥ trees] uint32, written: the number of each tree.
    """
    begins = np.empty(width, np.uint8)
    run = np.empty(width, np.uint32)
    tree = np.empty(width, np.uint32)  # of each run of a row
    joined = np.empty(width, np.uint8)
    place = np.empty(width, np.uint32)
    up, above = way[:width], label[:width]
    trees = _0
    for row in range(0, len(way), width):
        here, labels = way[row : row + width], label[row : row + width]
        for x in range(1, width):
            begins[x] = ((here[x - 1] >> _RIGHT_TO_LEFT) | here[x]) & _LEFT ^ _LEFT
        last = run[0] = _0
        for x in range(1, width):
            last = np.uint32(last + begins[x])
            run[x] = last
        runs = np.int64(last) + 1
        for r in range(runs):
            tree[r] = _NONE
        several = _0
        if row > 0:
            for x in range(width):
                joined[x] = ((up[x] >> _DOWN_TO_LEFT) | (here[x] >> _UP_TO_LEFT)) & _LEFT
            found = _0
            for x in range(width):
                place[found] = x
                found += joined[x]
            for k in range(found):
                x = place[k]
                r = run[x]
                old = tree[r]
                tree[r] = above[x] if old == _NONE else old
                place[several] = x
                several = np.uint32(several + (old != _NONE))
        first = trees
        for r in range(runs):
            old = tree[r]
            tree[r] = trees if old == _NONE else old
            trees = np.uint32(trees + (old == _NONE))
        for t in range(np.int64(first), np.int64(trees)):
            number[t] = t
        for x in range(width):
            labels[x] = tree[run[x]]
        for k in range(several):
            x = place[k]
            unite(number, above[x], labels[x])
        up, above = here, labels
    return number_trees(number, _FIRST, np.int64(trees), _FIRST)


@part
def unite(number: np.ndarray, a: int, b: int) -> None:
    """Let two trees be one, under the smaller of the numbers they began with."""
    while number[a] != a:
        number[a] = number[number[a]]
        a = number[a]
    while number[b] != b:
        number[b] = number[number[b]]
        b = number[b]
    number[max(a, b)] = min(a, b)


@kernel
def number_trees(number: np.ndarray, begin: int, end: int, before: int) -> int:
    """Number the trees in [begin, end) that are left after uniting, in the same order.

    All before `begin` are numbered; returns how many are then left, `before` of them before.
    """
    count = np.uint32(before)
    for t in range(begin, end):
        first = number[t]
        is_first = first == t
        number[t] = count if is_first else number[first]
        count += _1 if is_first else _0
    return np.int64(count)


@kernel
def merge_borders(
    border: np.ndarray, bound: np.ndarray, base: np.ndarray, label: np.ndarray, number: np.ndarray
) -> None:
    """Unite trees across the borders of chunks.

    Args:
        border: [P, 2, W] uint8, ways in the first and the last row of each chunk.
        bound: [P + 1] int64, first pixel of each chunk.
        base: [P + 1] int64, trees before each chunk.
        label: [H·W] uint32, tree of each pixel, counted within its chunk.
        number: [trees] uint32, written: see `unite`.
    """
    width = border.shape[2]
    for tree in range(len(number)):
        number[tree] = tree
    for c in range(1, len(border)):
        for x in range(width):
            if (border[c - 1, 1, x] & DOWN) | (border[c, 0, x] & UP):
                p = bound[c] + x
                unite(number, base[c - 1] + label[p - width], base[c] + label[p])
