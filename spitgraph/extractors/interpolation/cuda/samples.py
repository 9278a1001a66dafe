"""Colour of every region, stretched to β×β samples; compare `interpolation.colour`."""
# mypy: allow-untyped-defs, allow-incomplete-defs

import math

import triton.language as tl

from spitgraph.kernels.cuda.jit import kernel, whole
from spitgraph.kernels.cuda.programs import HEIGHT, START, WIDTH
from spitgraph.pixels import CONTRAST

#: Exponents (a, b) of the Kumaraswamy contrast of each channel (METHOD 3.1.1).
EXPONENTS = [(a, -math.log(2) / math.log1p(-(m**a))) for m, a in CONTRAST]
RED_INNER, RED_OUTER = map(tl.constexpr, EXPONENTS[0])
GREEN_INNER, GREEN_OUTER = map(tl.constexpr, EXPONENTS[1])
BLUE_INNER, BLUE_OUTER = map(tl.constexpr, EXPONENTS[2])
#: Stands in for 0 where a logarithm is taken.
TINY = tl.constexpr(1e-37)
#: Terms of the series of exp(y) − 1 for −½ < y ≤ 0: the next one is below 1e-8 of the sum.
TERMS = tl.constexpr(8)


@kernel
def sample_colours(
    pixels, cluster, bbox, image_of, table, statistics, vectors, num_images, num_features,
    BINS: tl.constexpr, NEAREST: tl.constexpr, NORMALISED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Contrast or norm, interpolation and mask of a region's samples, a block of them a program."""
    region = tl.program_id(0).to(tl.int64)
    image = tl.load(image_of + region)
    start = tl.load(table + num_images * START + image)
    height = tl.load(table + num_images * HEIGHT + image)
    width = tl.load(table + num_images * WIDTH + image)
    sample = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = sample < BINS * BINS
    row = sample // BINS
    column = sample - row * BINS
    x = between(tl.load(bbox + 4 * region), tl.load(bbox + 4 * region + 2) - 1, column, BINS)
    y = between(tl.load(bbox + 4 * region + 1), tl.load(bbox + 4 * region + 3) - 1, row, BINS)
    red = tl.zeros([BLOCK], tl.float32)
    green = tl.zeros([BLOCK], tl.float32)
    blue = tl.zeros([BLOCK], tl.float32)
    mask = tl.zeros([BLOCK], tl.float32)
    for corner in tl.static_range(1 if NEAREST else 4):
        if NEAREST:
            weight = tl.full([BLOCK], 1.0, tl.float32)
            pixel = start + whole(y) * width + whole(x)
        else:
            y_floor = y.to(tl.int64)  # positions are not negative
            x_floor = x.to(tl.int64)
            y_weight = (y - y_floor).to(tl.float32)
            x_weight = (x - x_floor).to(tl.float32)
            if corner < 2:
                y_weight = 1.0 - y_weight
            else:
                y_floor = tl.minimum(y_floor + 1, height - 1)
            if corner % 2 == 0:
                x_weight = 1.0 - x_weight
            else:
                x_floor = tl.minimum(x_floor + 1, width - 1)
            weight = y_weight * x_weight
            pixel = start + y_floor * width + x_floor
        own = tl.load(cluster + pixel, mask=inside, other=-1) == region
        mask += tl.where(own, weight, 0.0)
        at = pixels + 3 * pixel
        r = tl.load(at, mask=inside, other=0.0)
        g = tl.load(at + 1, mask=inside, other=0.0)
        b = tl.load(at + 2, mask=inside, other=0.0)
        if NORMALISED:
            red += weight * normal(r, statistics)
            green += weight * normal(g, statistics + 1)
            blue += weight * normal(b, statistics + 2)
        else:
            red += weight * contrast(r, RED_INNER, RED_OUTER)
            green += weight * contrast(g, GREEN_INNER, GREEN_OUTER)
            blue += weight * contrast(b, BLUE_INNER, BLUE_OUTER)
    out = vectors + (region * (BINS * BINS) + sample) * num_features
    tl.store(out, red * mask, mask=inside)
    tl.store(out + 1, green * mask, mask=inside)
    tl.store(out + 2, blue * mask, mask=inside)


@kernel
def between(low, high, step, BINS: tl.constexpr):
    """Position `step` of BINS from low to high, both included, in float64."""
    return low + (step * (high - low)).to(tl.float64) / (BINS - 1)


@kernel
def normal(value, statistics):
    """(value − mean)/std of a channel; its mean is followed by those of the others, then std."""
    return (value - tl.load(statistics)) / tl.load(statistics + 3)


@kernel
def contrast(value, INNER: tl.constexpr, OUTER: tl.constexpr):
    """Kumaraswamy contrast 1 − 2(1 − xᵃ)ᵇ of x in [0, 1], exact near 1 too."""
    exponent = tl.log(tl.maximum(value, TINY)) * INNER
    small = tl.maximum(exponent, -0.5)
    series = tl.full(value.shape, 1.0, tl.float32)
    for term in tl.static_range(TERMS):
        series = series * (small / (TERMS + 1 - term)) + 1.0
    rest = tl.where(exponent > -0.5, -small * series, 1.0 - tl.exp(exponent))
    return 1.0 - tl.exp(tl.log(tl.maximum(rest, TINY)) * OUTER) * 2.0
