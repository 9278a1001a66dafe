"""CIE Lab in whole steps, from integers and two tables (METHOD 3.2): the same on any device.

No result is rounded in floating point. Tables are rounded from float64, whose own error lies far
below the distance of any entry from the edge between two steps.
"""

import numpy as np
import torch
from jaxtyping import Float, Int32, Shaped
from torch import Tensor

#: Comparison features are quantised once, at level 0, to this many steps per unit (METHOD 2.8).
STEPS_PER_UNIT = 2**20
#: Chroma counts one and a half times: fewer regions leak over borders (docs/quality.md).
CHROMA_WEIGHT = 1.5
#: Pixels at a time: what is computed of them stays in a processor's cache.
PIXELS_AT_A_TIME = 2**16

#: Levels from one value of an 8-bit picture to the next; values of any picture are rounded to them.
LEVEL_BITS = 8
LEVELS = 255 << LEVEL_BITS
#: Values of 8-bit pictures.
EIGHT_BIT = np.arange(256, dtype=np.float32) / np.float32(255)

#: Linear light of white; that of 8-bit values, and once more of white, where nothing follows.
WHITE = 2**24 - 1
_value = np.minimum(np.arange(257), 255) / 255
LIGHT = np.where(_value > 0.04045, ((_value + 0.055) / 1.055) ** 2.4, _value / 12.92)
LIGHT = np.rint(LIGHT * WHITE).astype(np.int32)

#: Linear RGB → XYZ, each over that of white (D65). Rows have the same sum: grey stays grey.
MATRIX_BITS = 18
_xyz = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
MATRIX = np.rint(2**MATRIX_BITS * _xyz / _xyz.sum(1, keepdims=True)).astype(np.int64)
MATRIX[:, 1] += 2**MATRIX_BITS - MATRIX.sum(1)

#: Lightness in steps of light from black to white: 1.16·f − 0.16 with Lab's cube root f. Between
#: entries it is interpolated.
CURVE_BITS = 12
_light = np.arange(2**CURVE_BITS + 1) / 2**CURVE_BITS
_root = np.where(_light > 0.008856, np.cbrt(_light), 7.787 * _light + 4 / 29)
CURVE = np.rint(STEPS_PER_UNIT * (1.16 * _root - 0.16)).astype(np.int32)

#: What differences of lightnesses count in (a, b)/100, chroma weighted.
CHROMA_BITS = 20
RED_GREEN = round(2**CHROMA_BITS * CHROMA_WEIGHT * 5 / 1.16)
BLUE_YELLOW = round(2**CHROMA_BITS * CHROMA_WEIGHT * 2 / 1.16)


def quantised_lab(image: Shaped[Tensor, "3 *S"]) -> Int32[Tensor, "3 *S"]:
    """(L, 1.5a, 1.5b)/100 in whole steps of 1/`STEPS_PER_UNIT`.

    Args:
        image: RGB, uint8 or float in [0, 1]; what lies outside is clamped.
    """
    values = image.detach().flatten(1)
    steps = torch.empty(values.shape, dtype=torch.int32, device=values.device)
    for start in range(0, values.shape[1], PIXELS_AT_A_TIME):
        part = slice(start, start + PIXELS_AT_A_TIME)
        steps[:, part] = lab_of_light(linear_light(values[:, part]))
    return steps.view(image.shape)


def linear_light(values: Shaped[Tensor, "*S"]) -> Int32[Tensor, "*S"]:
    """Steps of linear light, from 0 to `WHITE`."""
    if values.dtype == torch.uint8:
        return looked_up(LIGHT, values.int())
    return interpolated(LIGHT, levels_of(values), LEVEL_BITS)


def levels_of(values: Float[Tensor, "*S"]) -> Int32[Tensor, "*S"]:
    """The nearest levels, from 0 to `LEVELS`; those of 8-bit pictures are multiples of 256."""
    return (values.float().clamp(0, 1) * LEVELS + 0.5).int()


def lab_of_light(light: Int32[Tensor, "3 n"]) -> Int32[Tensor, "3 n"]:
    """Lab of linear red, green and blue."""
    red, green, blue = light.long()
    of_red, of_green, of_blue = torch.from_numpy(MATRIX).to(light.device).t()[:, :, None]
    xyz = of_red * red + of_green * green + of_blue * blue
    x, y, z = interpolated(CURVE, shifted(xyz, MATRIX_BITS).int(), CURVE_BITS)
    red_green = shifted(RED_GREEN * (x - y).long(), CHROMA_BITS)
    blue_yellow = shifted(BLUE_YELLOW * (y - z).long(), CHROMA_BITS)
    return torch.stack([y, red_green.int(), blue_yellow.int()])


def interpolated(table: np.ndarray, place: Int32[Tensor, "*S"], bits: int) -> Int32[Tensor, "*S"]:
    """What a table has at a place, whose lowest bits say how far it is to the next entry."""
    entry = place >> bits
    low, high = looked_up(table, entry), looked_up(table, entry + 1)
    return low + shifted((high - low) * (place & (2**bits - 1)), bits)


def looked_up(table: np.ndarray, entry: Int32[Tensor, "*S"]) -> Int32[Tensor, "*S"]:
    """What a table has at each entry."""
    entries = torch.from_numpy(table).to(entry.device)
    return entries.index_select(0, entry.flatten()).view(entry.shape)


def shifted(number: Shaped[Tensor, "*S"], bits: int) -> Shaped[Tensor, "*S"]:
    """The whole number nearest to a number with so many bits behind the point."""
    return (number + 2 ** (bits - 1)) >> bits
