"""Gradients of the image, for the texture histogram; compare `spitgraph.pixels.gradients`."""
# mypy: allow-untyped-defs, allow-incomplete-defs

import math

import triton.language as tl

from spitgraph.kernels.cuda.jit import kernel
from spitgraph.kernels.cuda.programs import own_pixels
from spitgraph.pixels import GRADIENT_CONTRAST

SCALE = tl.constexpr(GRADIENT_CONTRAST)
LARGEST = tl.constexpr(math.asinh(GRADIENT_CONTRAST))


@kernel
def gradients(pixels, table, texture, num_pixels, num_images, BLOCK: tl.constexpr):
    """Scharr gradients (∇y, ∇x) of the mean channel with asinh contrast, borders replicated.

    In float64, for the contrast magnifies rounding; written in float32.
    """
    image, start, count, height, width, local, y, x, inside = own_pixels(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    above = tl.maximum(y - 1, 0) * width
    here = y * width
    below = tl.minimum(y + 1, height - 1) * width
    left = tl.maximum(x - 1, 0)
    right = tl.minimum(x + 1, width - 1)
    first = pixels + 3 * start.to(tl.int64)
    top_left = brightness(first, above + left, inside)
    top_right = brightness(first, above + right, inside)
    bottom_left = brightness(first, below + left, inside)
    bottom_right = brightness(first, below + right, inside)
    top = brightness(first, above + x, inside)
    bottom = brightness(first, below + x, inside)
    before = brightness(first, here + left, inside)
    after = brightness(first, here + right, inside)
    down = smooth(bottom_left, bottom, bottom_right) - smooth(top_left, top, top_right)
    across = smooth(top_right, after, bottom_right) - smooth(top_left, before, bottom_left)
    out = texture + start + local
    tl.store(out, asinh_contrast(down / 16.0).to(tl.float32), mask=inside)
    tl.store(out + num_pixels, asinh_contrast(across / 16.0).to(tl.float32), mask=inside)


@kernel
def brightness(first, pixel, inside):
    """Mean of a pixel's channels."""
    at = first + 3 * pixel.to(tl.int64)
    red = tl.load(at, mask=inside, other=0.0).to(tl.float64)
    green = tl.load(at + 1, mask=inside, other=0.0).to(tl.float64)
    blue = tl.load(at + 2, mask=inside, other=0.0).to(tl.float64)
    return (red + green + blue) / 3.0


@kernel
def smooth(before, centre, after):
    """Three pixels across the direction of the gradient."""
    return before * 3.0 + centre * 10.0 + after * 3.0


@kernel
def asinh_contrast(value):
    """asinh(scale·x) / asinh(scale), to an absolute error of 1e-16."""
    size = tl.abs(value) * SCALE
    stretched = tl.log(size + tl.sqrt(size * size + 1.0)) / LARGEST
    return tl.where(value < 0, -stretched, stretched)
