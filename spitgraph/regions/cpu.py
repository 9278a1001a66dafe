"""What the regions of a partition look like, and who touches whom, in one pass over the pixels."""

from typing import NamedTuple

import numpy as np

from spitgraph.contraction.cpu.colour import EIGHT_BIT
from spitgraph.contraction.cpu.connect import spread
from spitgraph.kernels.cpu.jit import kernel
from spitgraph.regions.describe import COLOUR_STEPS, FAR

#: Columns of the sums: x, y, red, green, blue, pixels.
COLUMNS = 6
#: Colour steps of the values of 8-bit pictures.
LEVEL_STEPS = np.rint(EIGHT_BIT.astype(np.float64) * COLOUR_STEPS).astype(np.int32)
#: Doubles of this size are whole numbers.
_WHOLE = 1.5 * 2.0**52
_0, _1 = np.uint32(0), np.uint32(1)
_32, _LOW = np.uint64(32), np.uint64(2**32 - 1)
_NONE = np.uint64(2**64 - 1)


class Part(NamedTuple):
    """What some rows of an image say about its regions.

    Attributes:
        sums: [N, 6] int64, of x, y, red, green, blue (in colour steps) and pixels.
        box: [N, 4] int64, (x_min, y_min, x_max, y_max), max exclusive.
        pair: [E] uint64, touching regions, the smaller in the high half; some more than once.
        length: [E] int64, pixel sides between them.
    """

    sums: np.ndarray
    box: np.ndarray
    pair: np.ndarray
    length: np.ndarray


@kernel
def measure_rows(
    labels: np.ndarray,
    token: np.ndarray,
    pixels: np.ndarray,
    levels: np.ndarray,
    pixel_stride: int,
    channel_stride: int,
    width: int,
    begin: int,
    end: int,
    num_regions: int,
    table: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The `Part` of the pixels in [begin, end), which are whole rows.

    Args:
        labels: [H·W] uint32, region of level 1 of each pixel of the image.
        token: [n] uint32, region that each of them lies in.
        pixels: [H·W, 3] float32.
        levels: [3·H·W] uint8, the same pixels of an 8-bit picture; empty for any other.
        pixel_stride: In `levels`, from a pixel to the next.
        channel_stride: In `levels`, from red to green.
        width: W.
        begin: First pixel.
        end: Behind the last.
        num_regions: N.
        table: [2ᵏ] int64, working memory: where a pair may have been written.
    """
    sums = np.zeros((num_regions, COLUMNS), np.int64)
    box = np.empty((num_regions, 4), np.int64)
    for r in range(num_regions):
        box[r, 0], box[r, 1], box[r, 2], box[r, 3] = FAR, FAR, 0, 0
    values = pixels.reshape(-1)
    steps = np.empty(3 * width, np.int32)
    along = np.zeros((width + 1, 3), np.int64)
    here, below = np.empty(width, np.uint32), np.empty(width, np.uint32)
    one = np.empty(2 * width, np.uint32)
    other = np.empty(2 * width, np.uint32)
    breaks = np.empty(width + 1, np.uint32)
    pair = np.empty(1024, np.uint64)
    length = np.empty(1024, np.int64)
    stride = np.uint32(pixel_stride)
    to_green, to_blue = np.uint32(channel_stride), np.uint32(2 * channel_stride)
    mask = np.uint32(len(table) - 1)
    table[:] = 0
    pair[0] = _NONE
    written = 0
    row_labels = labels[begin : begin + width]
    for x in range(width):
        below[x] = token[row_labels[x]]
    for row in range(begin, end, width):
        y = row // width
        here, below = below, here
        red = green = blue = 0  # added up along the row: a run's sum is a difference
        if len(levels) > 0:
            some = levels[row * pixel_stride :]
            at = _0
            for x in range(width):
                red += LEVEL_STEPS[some[at]]
                green += LEVEL_STEPS[some[at + to_green]]
                blue += LEVEL_STEPS[some[at + to_blue]]
                along[x + 1, 0], along[x + 1, 1], along[x + 1, 2] = red, green, blue
                at += stride
        else:
            value = values[3 * row : 3 * (row + width)]
            for k in range(3 * width):  # to the nearest whole step, ties to even
                steps[k] = np.int32((np.float64(value[k]) * COLOUR_STEPS + _WHOLE) - _WHOLE)
            for x in range(width):
                red += steps[3 * x]
                green += steps[3 * x + 1]
                blue += steps[3 * x + 2]
                along[x + 1, 0], along[x + 1, 1], along[x + 1, 2] = red, green, blue
        found = _0
        for x in range(width - 1):
            breaks[found] = x
            found += _1 if here[x] != here[x + 1] else _0
        breaks[found] = width - 1
        for i in range(found):
            one[i], other[i] = here[breaks[i]], here[breaks[i] + _1]
        first = 0
        for i in range(found + _1):  # run by run of pixels of the same region
            last = np.int64(breaks[i]) + 1
            r = here[first]
            sums[r, 0] += (first + last - 1) * (last - first) // 2
            sums[r, 1] += y * (last - first)
            sums[r, 2] += along[last, 0] - along[first, 0]
            sums[r, 3] += along[last, 1] - along[first, 1]
            sums[r, 4] += along[last, 2] - along[first, 2]
            sums[r, 5] += last - first
            box[r, 0] = min(box[r, 0], first)
            box[r, 1] = min(box[r, 1], y)
            box[r, 2] = max(box[r, 2], last)
            box[r, 3] = y + 1
            first = last
        if row + width < len(labels):
            row_labels = labels[row + width : row + 2 * width]
            for x in range(width):
                below[x] = token[row_labels[x]]
            for x in range(width):
                one[found], other[found] = here[x], below[x]
                found += _1 if here[x] != below[x] else _0
        if written + 2 * width > len(pair):
            pair = np.concatenate((pair, np.empty(len(pair) + 2 * width, np.uint64)))
            length = np.concatenate((length, np.empty(len(length) + 2 * width, np.int64)))
        for i in range(found):  # sides between two regions; a pair not found is written behind
            low, high = min(one[i], other[i]), max(one[i], other[i])
            wanted = (np.uint64(low) << _32) | np.uint64(high)
            place = spread(low, high) & mask
            at = table[place]
            if at >= written or pair[at] != wanted:
                at = written
                pair[at] = wanted
                length[at] = 0
                table[place] = at
                written += 1
            length[at] += 1
    return sums, box, pair[:written].copy(), length[:written].copy()


@kernel
def describe_image(
    sums: np.ndarray,
    box: np.ndarray,
    pair: np.ndarray,
    length: np.ndarray,
    size: np.ndarray,
    pos: np.ndarray,
    color: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Write the attributes of an image's regions; its edges [2, E] and their lengths.

    Args:
        sums: [N, 6] int64, see `Part`.
        box: [N, 4] int64.
        pair: [E] uint64.
        length: [E] int64.
        size: [N] int64, written.
        pos: [N, 2] float32, written.
        color: [N, 3] float32, written.
    """
    for r in range(len(size)):
        pixels = np.float64(sums[r, 5])
        size[r] = sums[r, 5]
        for k in range(2):
            pos[r, k] = np.float64(sums[r, k]) / pixels
        for c in range(3):
            color[r, c] = np.float64(sums[r, 2 + c]) / pixels / COLOUR_STEPS
    return both_directions(pair, length, len(size))


@kernel
def both_directions(
    pair: np.ndarray, length: np.ndarray, num_regions: int
) -> tuple[np.ndarray, np.ndarray]:
    """Edges in both directions, each once and sorted, and their lengths, from pairs in any order.

    Two counting sorts, by the larger and then by the smaller end, bring equal pairs together and
    all into order. Then every region meets its neighbours in ascending order: the smaller ones in
    pairs that come before its own, which bring the larger ones.
    """
    high = (pair & _LOW).astype(np.int64)
    low = (pair >> _32).astype(np.int64)
    order = counting_sort(high, np.arange(len(pair)), num_regions)
    order = counting_sort(low, order, num_regions)
    ends = np.empty((2, len(pair)), np.int64)
    total = np.empty(len(pair), np.int64)
    degree = np.zeros(num_regions + 1, np.int64)
    unique = 0
    last = _NONE
    for k in order:
        if pair[k] == last:
            total[unique - 1] += length[k]
        else:
            last = pair[k]
            ends[0, unique], ends[1, unique], total[unique] = low[k], high[k], length[k]
            degree[low[k] + 1] += 1
            degree[high[k] + 1] += 1
            unique += 1
    place = np.cumsum(degree)
    edges = np.empty((2, 2 * unique), np.int64)
    lengths = np.empty(2 * unique, np.float32)
    for e in range(unique):
        for way in range(2):
            a, b = ends[way, e], ends[1 - way, e]
            edges[0, place[a]], edges[1, place[a]] = a, b
            lengths[place[a]] = total[e]
            place[a] += 1
    return edges, lengths


@kernel
def counting_sort(key: np.ndarray, order: np.ndarray, num_keys: int) -> np.ndarray:
    """`order` sorted by the keys, stably."""
    place = np.zeros(num_keys + 1, np.int64)
    for k in key:
        place[k + 1] += 1
    place = np.cumsum(place)
    ordered = np.empty_like(order)
    for i in order:
        ordered[place[key[i]]] = i
        place[key[i]] += 1
    return ordered
