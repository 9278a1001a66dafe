"""RGB → quantised Lab in one pass over the pixels (METHOD 3.2); compare `spitgraph.colour`."""

import numpy as np

from spitgraph.colour import (
    BLUE_YELLOW,
    CHROMA_BITS,
    CURVE,
    CURVE_BITS,
    LEVEL_BITS,
    LEVELS,
    LIGHT,
    MATRIX,
    MATRIX_BITS,
    RED_GREEN,
)
from spitgraph.kernels.cpu.jit import kernel

#: Pixels at a time: what is computed of them stays in a processor's nearest cache.
ROW = 512
#: Each entry of a table, and in the lowest bits how far it is from there to the next: so one look
#: at a table is enough.
CURVE_RISE_BITS, LIGHT_RISE_BITS = 12, 18
PACKED_CURVE = (CURVE[:-1].astype(np.uint32) << CURVE_RISE_BITS) + np.diff(CURVE).astype(np.uint32)
PACKED_LIGHT = (LIGHT[:-1].astype(np.uint64) << LIGHT_RISE_BITS) + np.diff(LIGHT).astype(np.uint64)

# Numbers with a type: beside others, Numba would take unsigned numbers for signed ones.
_X0, _X1, _X2, _Y0, _Y1, _Y2, _Z0, _Z1, _Z2 = (np.uint64(x) for x in MATRIX.ravel())
_MATRIX_BITS, _HALF_MATRIX = np.uint64(MATRIX_BITS), np.uint64(1 << (MATRIX_BITS - 1))
_CURVE_BITS, _HALF_CURVE = np.uint32(CURVE_BITS), np.uint32(1 << (CURVE_BITS - 1))
_CURVE_BEYOND, _CURVE_RISE = np.uint32(2**CURVE_BITS - 1), np.uint32(2**CURVE_RISE_BITS - 1)
_CURVE_RISE_BITS, _LIGHT_RISE_BITS = np.uint32(CURVE_RISE_BITS), np.uint64(LIGHT_RISE_BITS)
_LEVEL_BITS, _HALF_LEVEL = np.uint64(LEVEL_BITS), np.uint64(1 << (LEVEL_BITS - 1))
_LEVEL_BEYOND, _LIGHT_RISE = np.uint64(2**LEVEL_BITS - 1), np.uint64(2**LIGHT_RISE_BITS - 1)
_LEVELS, _HALF, _HALF_CHROMA = np.float32(LEVELS), np.float32(0.5), 1 << (CHROMA_BITS - 1)


@kernel
def quantised_lab_of_bytes(
    bytes8: np.ndarray,
    pixel_stride: int,
    channel_stride: int,
    begin: int,
    end: int,
    features_q: np.ndarray,
) -> None:
    """Quantised Lab of the pixels in [begin, end) of an 8-bit picture.

    Args:
        bytes8: [3·P] uint8.
        pixel_stride: From a pixel to the next.
        channel_stride: From red to green, and on to blue.
        begin: First pixel.
        end: Behind the last.
        features_q: [3, ≥ end − begin] int32, written, from its beginning.
    """
    light = np.zeros((3, ROW), np.uint32)
    red, green, blue = light[0], light[1], light[2]
    stride = np.uint32(pixel_stride)
    to_green, to_blue = np.uint32(channel_stride), np.uint32(2 * channel_stride)
    for start in range(begin, end, ROW):
        count = min(ROW, end - start)
        some = bytes8[start * pixel_stride :]
        j = np.uint32(0)
        for i in range(count):
            r, g, b = some[j], some[j + to_green], some[j + to_blue]
            red[i], green[i], blue[i] = LIGHT[r], LIGHT[g], LIGHT[b]
            j += stride
        lab_of_light(light, features_q, start - begin, count)


@kernel
def quantised_lab_of_floats(
    values: np.ndarray,
    pixel_stride: int,
    channel_stride: int,
    begin: int,
    end: int,
    features_q: np.ndarray,
) -> None:
    """The same of any picture.

    Args:
        values: [3·P] float32 in [0, 1].
        pixel_stride: From a pixel to the next.
        channel_stride: From red to green, and on to blue.
        begin: First pixel.
        end: Behind the last.
        features_q: [3, ≥ end − begin] int32, written, from its beginning.
    """
    light = np.zeros((3, ROW), np.uint32)
    level = np.empty(ROW, np.uint16)  # whatever values come: none lies beyond the table
    stride = np.uint64(pixel_stride)
    for start in range(begin, end, ROW):
        count = min(ROW, end - start)
        for c in range(3):
            some, row = values[start * pixel_stride + c * channel_stride :], light[c]
            for i in range(count):
                level[i] = np.int32(some[np.uint64(i) * stride] * _LEVELS + _HALF)
            for i in range(count):
                place = np.uint64(level[i])
                entry = PACKED_LIGHT[place >> _LEVEL_BITS]
                rise = (entry & _LIGHT_RISE) * (place & _LEVEL_BEYOND)
                row[i] = (entry >> _LIGHT_RISE_BITS) + ((rise + _HALF_LEVEL) >> _LEVEL_BITS)
        lab_of_light(light, features_q, start - begin, count)


@kernel
def lab_of_light(light: np.ndarray, features_q: np.ndarray, first: int, count: int) -> None:
    """Linear light [3, ROW] uint32, which is written over, → quantised Lab from `first` on."""
    red, green, blue = light[0], light[1], light[2]
    for i in range(ROW):
        r, g, b = np.uint64(red[i]), np.uint64(green[i]), np.uint64(blue[i])
        red[i] = (_X0 * r + _X1 * g + _X2 * b + _HALF_MATRIX) >> _MATRIX_BITS
        green[i] = (_Y0 * r + _Y1 * g + _Y2 * b + _HALF_MATRIX) >> _MATRIX_BITS
        blue[i] = (_Z0 * r + _Z1 * g + _Z2 * b + _HALF_MATRIX) >> _MATRIX_BITS
    for c in range(3):
        row = light[c]
        for i in range(ROW):
            entry = PACKED_CURVE[row[i] >> _CURVE_BITS]
            rise = (entry & _CURVE_RISE) * (row[i] & _CURVE_BEYOND)
            row[i] = (entry >> _CURVE_RISE_BITS) + ((rise + _HALF_CURVE) >> _CURVE_BITS)
    lightness = features_q[0, first : first + count]  # slices of one row lie one after the other
    red_green = features_q[1, first : first + count]
    blue_yellow = features_q[2, first : first + count]
    for i in range(count):
        x, y, z = np.int32(red[i]), np.int32(green[i]), np.int32(blue[i])
        lightness[i] = y
        # products of 32 bits each take half as long as others
        of_red, of_blue = np.int64(np.int32(x - y)), np.int64(np.int32(y - z))
        red_green[i] = (RED_GREEN * of_red + _HALF_CHROMA) >> CHROMA_BITS
        blue_yellow[i] = (BLUE_YELLOW * of_blue + _HALF_CHROMA) >> CHROMA_BITS
