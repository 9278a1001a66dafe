"""RGB → quantised Lab in one pass over the pixels (METHOD 3.2, 2.8)."""

import numpy as np

from spitgraph.contraction.graph import STEPS_PER_UNIT
from spitgraph.kernels.cpu.threads import kernel
from spitgraph.pixels import CHROMA_WEIGHT

#: Rows of Linear RGB → XYZ, each over the white point's coordinate (D65), as kornia has them.
TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
) / np.array([[0.95047], [1.0], [1.08883]])
#: Values of 8-bit pictures, which most are, and the linear light of each.
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
_THIRD, _TWO_NINTHS, _FOURTEEN_81STS = (np.float32(x) for x in (1 / 3, 2 / 9, 14 / 81))


@kernel
def lab_pixels(rgb: np.ndarray, steps: np.ndarray, begin: int, end: int) -> None:
    """Quantised Lab of the pixels in [begin, end).

    Equal to the plain `quantise(lab(image))`: both are computed in float64, whose rounding lies
    nine orders of magnitude below a step.

    Args:
        rgb: [P, 3] float32.
        steps: [3, P] int32, written.
        begin: First pixel.
        end: Behind the last.
    """
    values = rgb.reshape(-1)
    step = np.empty(3 * ROW, np.int32)
    other = np.empty(3 * ROW, np.uint8)
    linear = np.empty((3, ROW), np.float64)
    cubed = np.empty((3, ROW), np.float64)
    for start in range(begin, end, ROW):
        count = min(ROW, end - start)
        linear_light(values[3 * start : 3 * (start + count)], step, other, linear)
        for i in range(count):
            r, g, b = linear[0, i], linear[1, i], linear[2, i]
            cubed[0, i] = _X0 * r + _X1 * g + _X2 * b
            cubed[1, i] = _Y0 * r + _Y1 * g + _Y2 * b
            cubed[2, i] = _Z0 * r + _Z1 * g + _Z2 * b
        for channel in range(3):
            cube_root(cubed[channel], linear[channel], count)
        for i in range(count):
            x, y, z = linear[0, i], linear[1, i], linear[2, i]
            steps[0, start + i] = np.int32(np.rint(_LIGHTNESS * y - _OFFSET))
            steps[1, start + i] = np.int32(np.rint(_RED_GREEN * (x - y)))
            steps[2, start + i] = np.int32(np.rint(_BLUE_YELLOW * (y - z)))


@kernel
def linear_light(
    values: np.ndarray, step: np.ndarray, other: np.ndarray, linear: np.ndarray
) -> None:
    """SRGB values of pixels [3n], interleaved, as linear light [3, n]."""
    for k in range(len(values)):
        step[k] = np.int32(values[k] * np.float32(255) + np.float32(0.5))
        other[k] = np.float32(step[k]) / np.float32(255) != values[k]
    others = np.uint8(0)  # whether there are values that no 8-bit picture has
    for k in range(len(values)):
        others |= other[k]
    if others == 0:
        for i in range(len(values) // 3):
            linear[0, i] = LINEAR[step[3 * i]]
            linear[1, i] = LINEAR[step[3 * i + 1]]
            linear[2, i] = LINEAR[step[3 * i + 2]]
    else:
        for channel in range(3):
            for i in range(len(values) // 3):
                v = np.float64(values[3 * i + channel])
                linear[channel, i] = ((v + 0.055) / 1.055) ** 2.4 if v > 0.04045 else v / 12.92


@kernel
def cube_root(value: np.ndarray, root: np.ndarray, count: int) -> None:
    """Lab's f(t): the cube root above 0.008856, a straight line below.

    1/∛t from the exponent bits, good to 3 %, and two steps of a fourth-order iteration, the first
    in single precision; the result t·(1/∛t)² gets a last Newton step.
    """
    single = np.empty(ROW, np.float32)
    inverse = np.empty(ROW, np.float32)
    bits = inverse.view(np.int32)
    for i in range(count):
        single[i] = max(value[i], 0.008856)
        inverse[i] = single[i]
    for i in range(count):
        bits[i] = np.int32(0x54A2FA8C) - bits[i] // np.int32(3)
    for i in range(count):
        r1 = inverse[i]
        h1 = np.float32(1) - single[i] * (r1 * r1 * r1)
        series = _THIRD + h1 * (_TWO_NINTHS + h1 * _FOURTEEN_81STS)
        inverse[i] = r1 + r1 * h1 * series
    for i in range(count):
        t = max(value[i], 0.008856)
        r = np.float64(inverse[i])
        h = 1.0 - t * (r * r * r)
        r += r * h * (1 / 3 + h * (2 / 9 + h * (14 / 81)))
        y = t * r * r
        y += (t - y * y * y) * (r * r) * (1 / 3)
        root[i] = y if value[i] > 0.008856 else 7.787 * value[i] + 4 / 29
