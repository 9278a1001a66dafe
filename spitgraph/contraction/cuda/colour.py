"""RGB → quantised Lab (METHOD 3.2, 2.8) in one pass; compare `spitgraph.pixels.lab`."""
# mypy: allow-untyped-defs, allow-incomplete-defs

import torch
import triton.language as tl
from jaxtyping import Float32, Int32
from torch import Tensor

from spitgraph.contraction.graph import STEPS_PER_UNIT
from spitgraph.kernels.cuda.jit import kernel, launch, on_own_device, whole
from spitgraph.kernels.cuda.programs import own_row
from spitgraph.pixels import CHROMA_WEIGHT

STEPS = tl.constexpr(float(STEPS_PER_UNIT))
CHROMA = tl.constexpr(CHROMA_WEIGHT)


@on_own_device
def quantised_lab(rgb: Float32[Tensor, "3 P"]) -> Int32[Tensor, "3 P"]:
    """Comparison features `"lab"` of every pixel in whole steps.

    Equal to `quantise(lab(image).flatten(1))`: both are accurate to a few times 1e-16, and a step
    is 2⁻²⁰, so that hardly one value in 1e9 lies where they could round to different steps.

    Args:
        rgb: Red, green and blue in [0, 1].
    """
    rgb = rgb.contiguous()
    features_q = torch.empty_like(rgb, dtype=torch.int32)
    num_pixels = rgb.shape[1]
    launch(quantise_lab, num_pixels, 1, rgb=rgb, features_q=features_q, num_pixels=num_pixels)
    return features_q


@kernel
def quantise_lab(rgb, features_q, num_pixels, BLOCK: tl.constexpr):
    """The formulas of `kornia.color.rgb_to_lab`, in float64."""
    pixel, inside = own_row(num_pixels, BLOCK)
    rows = num_pixels.to(tl.int64)
    r = linear(tl.load(rgb + pixel, mask=inside, other=0.0))
    g = linear(tl.load(rgb + rows + pixel, mask=inside, other=0.0))
    b = linear(tl.load(rgb + 2 * rows + pixel, mask=inside, other=0.0))
    x = lightness((r * 0.412453 + g * 0.357580 + b * 0.180423) / 0.95047)
    y = lightness(r * 0.212671 + g * 0.715160 + b * 0.072169)
    z = lightness((r * 0.019334 + g * 0.119193 + b * 0.950227) / 1.08883)
    lum = (y * 116.0 - 16.0) / 100.0
    red_green = (x - y) * 500.0 / 100.0 * CHROMA
    blue_yellow = (y - z) * 200.0 / 100.0 * CHROMA
    tl.store(features_q + pixel, whole(lum * STEPS).to(tl.int32), mask=inside)
    tl.store(features_q + rows + pixel, whole(red_green * STEPS).to(tl.int32), mask=inside)
    tl.store(features_q + 2 * rows + pixel, whole(blue_yellow * STEPS).to(tl.int32), mask=inside)


@kernel
def linear(value):
    """Linear light of an sRGB value."""
    value = value.to(tl.float64)
    base = tl.maximum((value + 0.055) / 1.055, 0.05)
    square = base * base
    return tl.where(value > 0.04045, square * root(square, 5), value / 12.92)  # base^2.4


@kernel
def lightness(value):
    """The f of CIE Lab: the cube root, and a line near black."""
    curve = root(tl.maximum(value, 0.001), 3)
    return tl.where(value > 0.008856, curve, value * 7.787 + 4.0 / 29.0)


@kernel
def root(value, DEGREE: tl.constexpr):
    """The root of a positive double to its last bits: from single precision, one step of Halley.

    The step cubes the relative error, of some 1e-6.
    """
    guess = tl.exp2(tl.log2(value.to(tl.float32)) / DEGREE).to(tl.float64)
    power = guess
    for _ in tl.static_range(DEGREE - 1):
        power = power * guess
    error = (value - power) * 2.0
    return guess + guess * error / (power * (DEGREE + 1.0) + value * (DEGREE - 1.0))
