"""Pixels whose strongest edges touch → trees of pixels: level 1 of the hierarchy (METHOD 2.5).

Row by row: pixels joined along a row are a run; a run belongs to the tree above that it is joined
to, or begins a new one. Few runs are joined to several, which makes these trees one.

Rows come in chunks, whose trees are numbered from 0 in each, in order of their first pixels. Then
trees that are joined across the border of two chunks become one.

`tree_number` first says of every tree which earlier one it is united with, if not itself; and then,
of those that are left, how many come before (`number_united`).
"""

import numpy as np

from spitgraph.contraction.cpu.grid import DOWN, UP
from spitgraph.kernels.cpu.jit import kernel, part

_NONE = np.uint32(2**32 - 1)
#: The bit of LEFT, and shifts that bring other bits to its place.
_LEFT, _RIGHT_TO_LEFT, _UP_TO_LEFT, _DOWN_TO_LEFT = (np.uint8(x) for x in (1, 1, 2, 3))
_0, _1, _FIRST = np.uint32(0), np.uint32(1), np.int64(0)


@kernel
def grow_trees(
    direction: np.ndarray, width: int, label: np.ndarray, tree_number: np.ndarray
) -> int:
    """Trees of the pixels of a chunk; how many there are.

    Args:
        direction: [n] uint8, that of the neighbour which each pixel is joined to.
        width: W.
        label: [n] uint32, written: preliminary number of each pixel's tree.
        tree_number: [≥ preliminary trees] uint32, written: the number of each.
    """
    starts_run = np.empty(width, np.uint8)
    run = np.empty(width, np.uint32)
    tree = np.empty(width, np.uint32)  # of each run of a row
    is_joined = np.empty(width, np.uint8)  # to the pixel above
    joined = np.empty(width, np.uint32)  # columns of such pixels
    directions_above, labels_above = direction[:width], label[:width]
    trees = _0
    for row in range(0, len(direction), width):
        here, labels = direction[row : row + width], label[row : row + width]
        for x in range(1, width):
            starts_run[x] = ((here[x - 1] >> _RIGHT_TO_LEFT) | here[x]) & _LEFT ^ _LEFT
        last = run[0] = _0
        for x in range(1, width):
            last = np.uint32(last + starts_run[x])
            run[x] = last
        runs = np.int64(last) + 1
        for r in range(runs):
            tree[r] = _NONE
        to_unite = _0
        if row > 0:
            for x in range(width):
                is_joined[x] = (
                    (directions_above[x] >> _DOWN_TO_LEFT) | (here[x] >> _UP_TO_LEFT)
                ) & _LEFT
            found = _0
            for x in range(width):
                joined[found] = x
                found += is_joined[x]
            for k in range(found):
                x = joined[k]
                r = run[x]
                old = tree[r]
                tree[r] = labels_above[x] if old == _NONE else old
                joined[to_unite] = x  # of runs joined to several trees: all but the first
                to_unite = np.uint32(to_unite + (old != _NONE))
        first_new = trees
        for r in range(runs):
            old = tree[r]
            tree[r] = trees if old == _NONE else old
            trees = np.uint32(trees + (old == _NONE))
        for t in range(np.int64(first_new), np.int64(trees)):
            tree_number[t] = t
        for x in range(width):
            labels[x] = tree[run[x]]
        for k in range(to_unite):
            x = joined[k]
            unite(tree_number, labels_above[x], labels[x])
        directions_above, labels_above = here, labels
    return number_united(tree_number, _FIRST, np.int64(trees), _FIRST)


@part
def unite(tree_number: np.ndarray, a: int, b: int) -> None:
    """Let two trees be one, under the smaller of the numbers they began with."""
    while tree_number[a] != a:
        tree_number[a] = tree_number[tree_number[a]]
        a = tree_number[a]
    while tree_number[b] != b:
        tree_number[b] = tree_number[tree_number[b]]
        b = tree_number[b]
    tree_number[max(a, b)] = min(a, b)


@kernel
def number_united(tree_number: np.ndarray, begin: int, end: int, before: int) -> int:
    """Number the trees in [begin, end) that are left after uniting, in the same order.

    All before `begin` are numbered; returns how many are then left, `before` of them before.
    """
    count = np.uint32(before)
    for t in range(begin, end):
        first = tree_number[t]
        is_first = first == t
        tree_number[t] = count if is_first else tree_number[first]
        count += _1 if is_first else _0
    return np.int64(count)


@kernel
def unite_across_rows(
    border: np.ndarray,
    first_pixel: np.ndarray,
    trees_before: np.ndarray,
    label: np.ndarray,
    tree_number: np.ndarray,
) -> None:
    """Unite trees of pixels across the borders of chunks.

    Args:
        border: [P, 2, W] uint8, directions in the first and the last row of each chunk.
        first_pixel: [P + 1] int64, of each chunk.
        trees_before: [P + 1] int64, trees before each chunk.
        label: [H·W] uint32, tree of each pixel, counted within its chunk.
        tree_number: [trees] uint32, written: see `unite`.
    """
    width = border.shape[2]
    for tree in range(len(tree_number)):
        tree_number[tree] = tree
    for c in range(1, len(border)):
        for x in range(width):
            if (border[c - 1, 1, x] & DOWN) | (border[c, 0, x] & UP):
                p = first_pixel[c] + x
                above = trees_before[c - 1] + label[p - width]
                unite(tree_number, above, trees_before[c] + label[p])


@kernel
def relabel(label: np.ndarray, tree_number: np.ndarray) -> None:
    """Labels within a chunk become those of the whole image."""
    for v in range(len(label)):
        label[v] = tree_number[label[v]]
