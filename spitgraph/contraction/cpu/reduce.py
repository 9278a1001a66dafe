"""What the clusters hold: exact sums, sizes and boxes (METHOD 2.5, 2.8).

Chunk by chunk: what belongs to a cluster that begins in an earlier chunk is listed for one thread.
"""

import numpy as np

from spitgraph.contraction.cpu.weights import UNIT
from spitgraph.kernels.cpu.jit import kernel, part

#: Beyond the coordinates of any pixel.
FAR = 2**30


@kernel
def clear(first: int, last: int, sums: np.ndarray, size: np.ndarray, box: np.ndarray) -> None:
    """Make the regions in [first, last) empty."""
    for a in range(first, last):
        size[a] = 0
        for c in range(sums.shape[1]):
            sums[a, c] = 0
    if len(box) > 0:
        for a in range(first, last):
            box[a, 0], box[a, 1], box[a, 2], box[a, 3] = FAR, FAR, 0, 0


@kernel
def pool_pixels(
    begin: int,
    label: np.ndarray,
    number: np.ndarray,
    steps: np.ndarray,
    offset: int,
    width: int,
    sums: np.ndarray,
    size: np.ndarray,
    box: np.ndarray,
) -> None:
    """Give the pixels of a chunk the final numbers of their trees, and pool them.

    Args:
        begin: First pixel of the chunk.
        label: [n] uint32, preliminary numbers; the final ones are written.
        number: [≥ trees] uint32, the final number of each.
        steps: [C, ≥ offset + n] int32.
        offset: Place of the first pixel's features.
        width: W.
        sums: [≥ trees, C] int64, added to; so are size and box.
        size: [≥ trees] int32.
        box: [≥ trees, 4] int32, or none.
    """
    if steps.shape[0] == 3:
        red, green, blue = steps[0, offset:], steps[1, offset:], steps[2, offset:]
        for p in range(len(label)):
            a = number[label[p]]
            label[p] = a
            sums[a, 0] += red[p]
            sums[a, 1] += green[p]
            sums[a, 2] += blue[p]
            size[a] += 1
    else:
        for p in range(len(label)):
            a = number[label[p]]
            label[p] = a
            for c in range(steps.shape[0]):
                sums[a, c] += steps[c, offset + p]
            size[a] += 1
    if len(box) > 0:
        for p in range(len(label)):
            grow_by_pixel(box[label[p]], begin + p, width)


@part
def grow_by_pixel(box: np.ndarray, p: int, width: int) -> None:
    """Extend a box to hold a pixel."""
    y = row_of(p, width)
    x = p - y * width
    grow(box, x, y, x + 1, y + 1)


@kernel
def pool_regions(
    begin: int,
    end: int,
    first: int,
    label: np.ndarray,
    sums: np.ndarray,
    size: np.ndarray,
    box: np.ndarray,
    new_sums: np.ndarray,
    new_size: np.ndarray,
    new_box: np.ndarray,
    elsewhere: np.ndarray,
) -> int:
    """Pool the regions in [begin, end) into those of the next level from `first` on.

    Those of others are listed in `elsewhere`; returns how many they are.
    """
    listed = 0
    for v in range(begin, end):
        if label[v] < first:
            elsewhere[listed] = v
            listed += 1
        else:
            add_region(v, label[v], sums, size, box, new_sums, new_size, new_box)
    return listed


@kernel
def pool_listed_regions(
    listed: np.ndarray,
    label: np.ndarray,
    sums: np.ndarray,
    size: np.ndarray,
    box: np.ndarray,
    new_sums: np.ndarray,
    new_size: np.ndarray,
    new_box: np.ndarray,
) -> None:
    """The same for the regions that were left over."""
    for k in range(len(listed)):
        v = listed[k]
        add_region(v, label[v], sums, size, box, new_sums, new_size, new_box)


@part
def add_region(
    v: int,
    a: int,
    sums: np.ndarray,
    size: np.ndarray,
    box: np.ndarray,
    new_sums: np.ndarray,
    new_size: np.ndarray,
    new_box: np.ndarray,
) -> None:
    """Add region v to region a of the next level."""
    for c in range(sums.shape[1]):
        new_sums[a, c] += sums[v, c]
    new_size[a] += size[v]
    if len(box) > 0:
        grow(new_box[a], box[v, 0], box[v, 1], box[v, 2], box[v, 3])


@part
def grow(box: np.ndarray, x0: int, y0: int, x1: int, y1: int) -> None:
    """Extend a box to hold another."""
    box[0], box[1] = min(box[0], x0), min(box[1], y0)
    box[2], box[3] = max(box[2], x1), max(box[3], y1)


@part
def row_of(pixel: int, width: int) -> int:
    """`pixel // width`, exact below 2³¹: half a pixel away from where rounding could matter."""
    return np.int64((pixel + 0.5) * (1.0 / width))


@kernel
def means(first: int, last: int, sums: np.ndarray, size: np.ndarray, mean: np.ndarray) -> int:
    """Mean features of the regions in [first, last); the sum of their squared sizes."""
    square = 0
    for a in range(first, last):
        pixels = np.int64(size[a])
        square += pixels * pixels
        for c in range(sums.shape[1]):
            mean[a, c] = np.float64(sums[a, c]) / np.float64(pixels) * UNIT
    return square
