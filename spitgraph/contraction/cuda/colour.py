"""RGB → quantised Lab (METHOD 3.2) in one pass; compare `spitgraph.colour`."""
# mypy: allow-untyped-defs, allow-incomplete-defs

from functools import cache

import numpy as np
import torch
import triton.language as tl
from jaxtyping import Float32, Int32
from torch import Tensor

from spitgraph import colour
from spitgraph.kernels.cuda.jit import kernel, launch, on_own_device
from spitgraph.kernels.cuda.programs import own_row

LEVELS, LEVEL_BITS = tl.constexpr(float(colour.LEVELS)), tl.constexpr(colour.LEVEL_BITS)
CURVE_BITS = tl.constexpr(colour.CURVE_BITS)
MATRIX_BITS, CHROMA_BITS = tl.constexpr(colour.MATRIX_BITS), tl.constexpr(colour.CHROMA_BITS)
X_RED, X_GREEN, X_BLUE = map(tl.constexpr, colour.MATRIX[0].tolist())
Y_RED, Y_GREEN, Y_BLUE = map(tl.constexpr, colour.MATRIX[1].tolist())
Z_RED, Z_GREEN, Z_BLUE = map(tl.constexpr, colour.MATRIX[2].tolist())
RED_GREEN, BLUE_YELLOW = tl.constexpr(colour.RED_GREEN), tl.constexpr(colour.BLUE_YELLOW)


@on_own_device
def quantised_lab(rgb: Float32[Tensor, "3 P"]) -> Int32[Tensor, "3 P"]:
    """Comparison features `"lab"` of every pixel in whole steps.

    Args:
        rgb: Red, green and blue in [0, 1].
    """
    rgb = rgb.contiguous()
    features_q = torch.empty_like(rgb, dtype=torch.int32)
    num_pixels = rgb.shape[1]
    launch(
        quantise_lab,
        num_pixels,
        1,
        rgb=rgb,
        lights=on(rgb.device, "LIGHT"),
        curve=on(rgb.device, "CURVE"),
        features_q=features_q,
        num_pixels=num_pixels,
    )
    return features_q


@cache
def on(device: torch.device, table: str) -> Int32[Tensor, " n"]:
    """A table of `spitgraph.colour` on a device, brought there once."""
    with torch.inference_mode(False):
        return torch.from_numpy(np.array(getattr(colour, table))).to(device)


@kernel
def quantise_lab(rgb, lights, curve, features_q, num_pixels, BLOCK: tl.constexpr):
    """Whole numbers only, once values are levels."""
    pixel, inside = own_row(num_pixels, BLOCK)
    rows = num_pixels.to(tl.int64)
    r = light(tl.load(rgb + pixel, mask=inside, other=0.0), lights)
    g = light(tl.load(rgb + rows + pixel, mask=inside, other=0.0), lights)
    b = light(tl.load(rgb + 2 * rows + pixel, mask=inside, other=0.0), lights)
    x = lightness(r * X_RED + g * X_GREEN + b * X_BLUE, curve)
    y = lightness(r * Y_RED + g * Y_GREEN + b * Y_BLUE, curve)
    z = lightness(r * Z_RED + g * Z_GREEN + b * Z_BLUE, curve)
    red_green = shifted((x - y).to(tl.int64) * RED_GREEN, CHROMA_BITS)
    blue_yellow = shifted((y - z).to(tl.int64) * BLUE_YELLOW, CHROMA_BITS)
    tl.store(features_q + pixel, y, mask=inside)
    tl.store(features_q + rows + pixel, red_green.to(tl.int32), mask=inside)
    tl.store(features_q + 2 * rows + pixel, blue_yellow.to(tl.int32), mask=inside)


@kernel
def light(value, lights):
    """Linear light of an sRGB value."""
    return interpolated(lights, (value * LEVELS + 0.5).to(tl.int32), LEVEL_BITS).to(tl.int64)


@kernel
def lightness(sum, curve):
    """The lightness of light that has been summed over red, green and blue."""
    return interpolated(curve, shifted(sum, MATRIX_BITS).to(tl.int32), CURVE_BITS)


@kernel
def interpolated(table, place, BITS: tl.constexpr):
    """What a table has at a place, whose lowest bits say how far it is to the next entry."""
    entry = place >> BITS
    low = tl.load(table + entry)
    rise = tl.load(table + entry + 1) - low
    return low + shifted(rise * (place - (entry << BITS)), BITS)


@kernel
def shifted(number, BITS: tl.constexpr):
    """The whole number nearest to a number with so many bits behind the point."""
    return ((number >> (BITS - 1)) + 1) >> 1
