"""RGB → quantised Lab in one pass over the pixels (METHOD 3.2, 2.8)."""

import numpy as np

from spitgraph.contraction.graph import STEPS_PER_UNIT
from spitgraph.kernels.cpu.jit import kernel
from spitgraph.pixels import CHROMA_WEIGHT

#: Rows of Linear RGB → XYZ, each over the white point's coordinate (D65), as kornia has them.
TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
) / np.array([[0.95047], [1.0], [1.08883]])
#: Values of 8-bit pictures, and the linear light of each.
EIGHT_BIT = np.arange(256, dtype=np.float32) / np.float32(255)
LINEAR = np.array(
    [((v + 0.055) / 1.055) ** 2.4 if v > 0.04045 else v / 12.92 for v in EIGHT_BIT.tolist()]
)
#: Pixels at a time: what is computed of them stays in a processor's nearest cache.
ROW = 512

_X0, _X1, _X2, _Y0, _Y1, _Y2, _Z0, _Z1, _Z2 = (float(x) for x in TO_XYZ.ravel())
_LIGHTNESS = STEPS_PER_UNIT * 1.16
_OFFSET = STEPS_PER_UNIT * 0.16
_RED_GREEN = STEPS_PER_UNIT * 5 * CHROMA_WEIGHT
_BLUE_YELLOW = STEPS_PER_UNIT * 2 * CHROMA_WEIGHT
_THIRD, _TWO_NINTHS, _FOURTEEN_81STS, _THIRTYFIVE_243RDS = (
    np.float32(x) for x in (1 / 3, 2 / 9, 14 / 81, 35 / 243)
)


@kernel
def eight_bits(values: np.ndarray, bytes8: np.ndarray) -> bool:
    """Whether all values are of 8-bit pictures, as most are: multiples of 1/255.

    Args:
        values: [n] float32 in [0, 1].
        bytes8: [n] uint8, written: the multiples.
    """
    bits = values.view(np.int32)  # which tell −0 from 0
    value = np.empty(ROW, np.float32)
    value_bits = value.view(np.int32)
    for start in range(0, len(values), ROW):
        some, some_bits = values[start : start + ROW], bits[start : start + ROW]
        multiple = bytes8[start : start + ROW]
        for k in range(len(some)):
            multiple[k] = np.int32(some[k] * np.float32(255) + np.float32(0.5))
            value[k] = np.float32(multiple[k]) / np.float32(255)
        others = np.int32(0)
        for k in range(len(some)):
            others |= value_bits[k] ^ some_bits[k]
        if others != 0:
            return False
    return True


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

    Equal to the plain `quantise(lab(image))`: both are computed in float64, whose rounding lies
    nine orders of magnitude below a step.

    Args:
        bytes8: [3·P] uint8.
        pixel_stride: From a pixel to the next.
        channel_stride: From red to green, and on to blue.
        begin: First pixel.
        end: Behind the last.
        features_q: [3, ≥ end − begin] int32, written, from its beginning.
    """
    light = np.zeros((3, ROW))
    single = np.empty(3 * ROW, np.float32)
    inverse = np.empty(3 * ROW, np.float32)
    red, green, blue = light[0], light[1], light[2]
    stride = np.uint32(pixel_stride)
    to_green, to_blue = np.uint32(channel_stride), np.uint32(2 * channel_stride)
    for start in range(begin, end, ROW):
        count = min(ROW, end - start)
        some = bytes8[start * pixel_stride :]
        j = np.uint32(0)
        for i in range(count):
            r, g, b = some[j], some[j + to_green], some[j + to_blue]
            red[i], green[i], blue[i] = LINEAR[r], LINEAR[g], LINEAR[b]
            j += stride
        quantised_lab(light, single, inverse, features_q[:, start - begin : start - begin + count])


@kernel
def quantised_lab_of_floats(
    values: np.ndarray,
    pixel_stride: int,
    channel_stride: int,
    features_q: np.ndarray,
    begin: int,
    end: int,
) -> None:
    """Quantised Lab of the pixels in [begin, end) of any picture.

    Args:
        values: [3·P] float32.
        pixel_stride: From a pixel to the next.
        channel_stride: From red to green, and on to blue.
        features_q: [3, P] int32, written.
        begin: First pixel.
        end: Behind the last.
    """
    light = np.zeros((3, ROW))
    single = np.empty(3 * ROW, np.float32)
    inverse = np.empty(3 * ROW, np.float32)
    for start in range(begin, end, ROW):
        stop = min(start + ROW, end)
        for i in range(start, stop):
            for c in range(3):
                v = np.float64(values[i * pixel_stride + c * channel_stride])
                light[c, i - start] = ((v + 0.055) / 1.055) ** 2.4 if v > 0.04045 else v / 12.92
        quantised_lab(light, single, inverse, features_q[:, start:stop])


@kernel
def quantised_lab(
    light: np.ndarray, single: np.ndarray, inverse: np.ndarray, features_q: np.ndarray
) -> None:
    """Linear RGB [3, ROW] float64 → quantised Lab [3, ≤ ROW] int32; the rest is working memory.

    Lab's f(t) is the cube root above 0.008856, a straight line below. In single precision: 1/∛t
    from the exponent bits, good to 3 %, and a step of a fifth-order iteration, from which follows
    ∛t = t·(1/∛t)² to 2·10⁻⁶. A step of Halley's iteration makes that exact to the last bit or so.
    """
    root = light.reshape(-1)
    bits = inverse.view(np.int32)
    red, green, blue = light[0], light[1], light[2]
    for i in range(ROW):
        r, g, b = red[i], green[i], blue[i]
        red[i] = _X0 * r + _X1 * g + _X2 * b
        green[i] = _Y0 * r + _Y1 * g + _Y2 * b
        blue[i] = _Z0 * r + _Z1 * g + _Z2 * b
    for i in range(3 * ROW):
        single[i] = max(root[i], 0.008856)
        inverse[i] = single[i]
    for i in range(3 * ROW):
        bits[i] = np.int32(0x54A2FA8C) - np.int32(np.float32(bits[i]) * _THIRD)
    for i in range(3 * ROW):
        t, r1 = single[i], inverse[i]
        h1 = np.float32(1) - t * (r1 * r1 * r1)
        series = _THIRD + h1 * (_TWO_NINTHS + h1 * (_FOURTEEN_81STS + h1 * _THIRTYFIVE_243RDS))
        r1 = r1 + r1 * h1 * series
        single[i] = t * r1 * r1
    for i in range(3 * ROW):
        value = root[i]
        t = max(value, 0.008856)
        y = np.float64(single[i])
        cube = y * y * y
        y = y + y * ((t - cube) / (cube + cube + t))
        root[i] = y if value > 0.008856 else 7.787 * value + 4 / 29
    lightness, red_green, blue_yellow = features_q[0], features_q[1], features_q[2]
    for i in range(len(lightness)):
        x, y, z = red[i], green[i], blue[i]
        lightness[i] = np.int32(np.rint(_LIGHTNESS * y - _OFFSET))
        red_green[i] = np.int32(np.rint(_RED_GREEN * (x - y)))
        blue_yellow[i] = np.int32(np.rint(_BLUE_YELLOW * (y - z)))
