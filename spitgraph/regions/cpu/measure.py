"""What the regions of a partition look like, and who touches whom, in one pass over the pixels."""

import numpy as np

from spitgraph.colour import EIGHT_BIT
from spitgraph.contraction.cpu.connect import hash_pair
from spitgraph.kernels.cpu.jit import kernel
from spitgraph.regions.describe import COLOUR_STEPS, FAR

#: Columns of the sums: x, y, red, green, blue, pixels.
COLUMNS = 6
#: Colour steps of the values of 8-bit pictures.
BYTE_STEPS = np.rint(EIGHT_BIT.astype(np.float64) * COLOUR_STEPS).astype(np.int32)
#: Doubles of this size are whole numbers.
_WHOLE = 1.5 * 2.0**52
_WHITE = np.float32(255)
_0, _1, _3 = np.uint32(0), np.uint32(1), np.uint32(3)
_32 = np.uint64(32)
_NONE = np.uint64(2**64 - 1)


@kernel
def measure_rows(
    cluster: np.ndarray,
    first_region: int,
    bytes8: np.ndarray,
    values: np.ndarray,
    pixel_stride: int,
    channel_stride: int,
    width: int,
    begin: int,
    end: int,
    table: np.ndarray,
    pixels: np.ndarray,
    box: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure the regions as far as they lie in the pixels in [begin, end), which are whole rows.

    Args:
        cluster: [H·W] int64, region of each pixel of the image.
        first_region: Number of the image's first region.
        bytes8: [3·H·W] uint8, an 8-bit picture; empty if there are `values`.
        values: [3·H·W] float32, any other picture.
        pixel_stride: In either, from a pixel to the next.
        channel_stride: In either, from red to green.
        width: W.
        begin: First pixel.
        end: Behind the last.
        table: [2ᵏ] int64, working memory: where a pair may have been written.
        pixels: [H·W, 3] float32, written.
        box: [N, 4] int64, written.

    Returns:
        [N, 6] int64, sums of x, y, red, green, blue (in colour steps) and pixels; [E] uint64,
        touching regions, the smaller in the high half, some more than once; and [E] int64, pixel
        sides between them.
    """
    sums = np.zeros((len(box), COLUMNS), np.int64)
    for r in range(len(box)):
        box[r, 0], box[r, 1], box[r, 2], box[r, 3] = FAR, FAR, 0, 0
    flat = pixels.reshape(-1)
    steps = np.empty(3 * width, np.int32)
    along = np.zeros((width + 1, 3), np.int64)
    here, below = np.empty(width, np.uint32), np.empty(width, np.uint32)
    one = np.empty(2 * width, np.uint32)
    other = np.empty(2 * width, np.uint32)
    differ, breaks = np.empty(width, np.uint8), np.empty(width + 1, np.uint32)
    pair = np.empty(1024, np.uint64)
    length = np.empty(1024, np.int64)
    stride = np.uint32(pixel_stride)
    to_green, to_blue = np.uint32(channel_stride), np.uint32(2 * channel_stride)
    mask = np.uint32(len(table) - 1)
    table[:] = 0
    pair[0] = _NONE
    written = 0
    row_cluster = cluster[begin : begin + width]
    for x in range(width):
        below[x] = row_cluster[x] - first_region
    for row in range(begin, end, width):
        y = row // width
        here, below = below, here
        red = green = blue = 0  # added up along the row: a run's sum is a difference
        value = flat[3 * row : 3 * (row + width)]
        at = k = _0
        if len(bytes8) > 0:
            some = bytes8[row * pixel_stride :]
            for x in range(width):
                r, g, b = some[at], some[at + to_green], some[at + to_blue]
                red, green, blue = red + BYTE_STEPS[r], green + BYTE_STEPS[g], blue + BYTE_STEPS[b]
                along[x + 1, 0], along[x + 1, 1], along[x + 1, 2] = red, green, blue
                at += stride
            if pixel_stride == 3:  # as pictures come from files: many values at a time
                for i in range(3 * width):
                    value[i] = np.float32(some[i]) / _WHITE
            else:
                greens, blues = some[channel_stride:], some[2 * channel_stride :]
                for x in range(width):
                    value[3 * x] = np.float32(some[x]) / _WHITE
                    value[3 * x + 1] = np.float32(greens[x]) / _WHITE
                    value[3 * x + 2] = np.float32(blues[x]) / _WHITE
        else:
            there = values[row * pixel_stride :]
            for _ in range(width):
                value[k] = there[at]
                value[k + _1] = there[at + to_green]
                value[k + _1 + _1] = there[at + to_blue]
                at += stride
                k += _3
            for k in range(3 * width):  # to the nearest whole step, ties to even
                steps[k] = np.int32((np.float64(value[k]) * COLOUR_STEPS + _WHOLE) - _WHOLE)
            for x in range(width):
                red += steps[3 * x]
                green += steps[3 * x + 1]
                blue += steps[3 * x + 2]
                along[x + 1, 0], along[x + 1, 1], along[x + 1, 2] = red, green, blue
        for x in range(width - 1):
            differ[x] = here[x] != here[x + 1]
        found = list_places(differ[: width - 1], breaks)
        breaks[found] = width - 1
        for i in range(found):
            one[i], other[i] = here[breaks[i]], here[breaks[i] + _1]
        first = _0
        for i in range(found + _1):  # run by run of pixels of the same region
            last = breaks[i] + _1
            start, stop = np.int64(first), np.int64(last)
            r = here[first]
            sums[r, 0] += (start + stop - 1) * (stop - start) // 2
            sums[r, 1] += y * (stop - start)
            sums[r, 2] += along[last, 0] - along[first, 0]
            sums[r, 3] += along[last, 1] - along[first, 1]
            sums[r, 4] += along[last, 2] - along[first, 2]
            sums[r, 5] += stop - start
            box[r, 0] = min(box[r, 0], start)
            box[r, 1] = min(box[r, 1], y)
            box[r, 2] = max(box[r, 2], stop)
            box[r, 3] = y + 1
            first = np.uint32(last)
        if row + width < len(cluster):
            row_cluster = cluster[row + width : row + 2 * width]
            for x in range(width):
                below[x] = row_cluster[x] - first_region
            for x in range(width):
                differ[x] = here[x] != below[x]
            over = list_places(differ, breaks)
            for i in range(over):
                one[found + i], other[found + i] = here[breaks[i]], below[breaks[i]]
            found += over
        if written + 2 * width > len(pair):
            pair = np.concatenate((pair, np.empty(len(pair) + 2 * width, np.uint64)))
            length = np.concatenate((length, np.empty(len(length) + 2 * width, np.int64)))
        for i in range(found):  # sides between two regions; a pair not found is written behind
            low, high = min(one[i], other[i]), max(one[i], other[i])
            wanted = (np.uint64(low) << _32) | np.uint64(high)
            place = hash_pair(low, high) & mask
            at = table[place]
            if at >= written or pair[at] != wanted:
                at = written
                pair[at] = wanted
                length[at] = 0
                table[place] = at
                written += 1
            length[at] += 1
    return sums, pair[:written].copy(), length[:written].copy()


@kernel
def list_places(is_wanted: np.ndarray, place: np.ndarray) -> int:
    """Write the places [≥ n] uint32 of those that are wanted [n] uint8; how many they are."""
    found = _0
    for x in range(len(is_wanted)):
        place[found] = x
        found += np.uint32(is_wanted[x])
    return found
