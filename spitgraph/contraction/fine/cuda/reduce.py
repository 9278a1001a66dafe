"""What regions of pixels hold (METHOD 10.1); compare `spitgraph.contraction.fine.graph`."""
# mypy: allow-untyped-defs, allow-incomplete-defs

import triton.language as tl
from jaxtyping import Int32, Int64
from torch import Tensor

from spitgraph.contraction.cuda.level import Level, empty_level
from spitgraph.kernels.cuda.jit import kernel, launch
from spitgraph.kernels.cuda.programs import own_elements


@kernel
def pool_pixels(
    features_q, label, table, weights, sums, size, num_pixels, num_regions, num_images,
    CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Sums, weighted squares and sizes of regions, from their pixels."""
    image, start, count, local, inside = own_elements(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    pixel = start + local
    region = tl.load(label + pixel, mask=inside, other=0)
    add_pixels(
        features_q, pixel, region, inside, weights, sums, size, num_pixels, num_regions,
        CHANNELS, TIMES=1,
    )  # fmt: skip


@kernel
def add_pixels(
    features_q, pixel, region, inside, weights, sums, size, num_pixels, num_regions,
    CHANNELS: tl.constexpr, TIMES: tl.constexpr,
):  # fmt: skip
    """Add pixels to regions' sums, squares and sizes; or take them away, with TIMES −1."""
    rows = num_regions.to(tl.int64)
    square = tl.zeros(pixel.shape, tl.int64)
    for channel in range(CHANNELS):
        at = channel * num_pixels.to(tl.int64) + pixel
        value = tl.load(features_q + at, mask=inside, other=0).to(tl.int64)
        square += tl.load(weights + channel) * value * value
        place = sums + channel * rows + region
        tl.atomic_add(place, TIMES * value, mask=inside, sem="relaxed")
    place = sums + CHANNELS * rows + region
    tl.atomic_add(place, TIMES * square, mask=inside, sem="relaxed")
    tl.atomic_add(size + region, tl.full(pixel.shape, TIMES, tl.int32), mask=inside, sem="relaxed")


def pooled_pixels(
    pixels: Level,
    label: Int32[Tensor, " P"],
    counts: list[int],
    table: Int64[Tensor, "4 B"],
    weights: Int64[Tensor, " C"],
) -> Level:
    """The regions of a partition, as yet without edges.

    Args:
        pixels: All of the batch.
        label: Region of each, numbered over the batch.
        counts: Regions of each image.
        table: Where they are.
        weights: What each channel counts in the squares.
    """
    result = empty_level(pixels.channels + 1, counts, table)
    launch(
        pool_pixels,
        *pixels.launched,
        features_q=pixels.sums,
        label=label,
        table=pixels.table,
        weights=weights,
        sums=result.sums,
        size=result.size,
        num_pixels=pixels.num_regions,
        num_regions=result.num_regions,
        num_images=pixels.num_images,
        CHANNELS=pixels.channels,
    )
    return result
