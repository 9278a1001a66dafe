"""Colour of a region, stretched to β×β samples (METHOD 4.1)."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from spitgraph.kernels.cpu.elementary import fused_multiply_add
from spitgraph.kernels.cpu.jit import kernel, llvm

_ZERO = np.float32(0)


def _blend_row(
    typing: Any,
    colour: Any,
    region_of: Any,
    region: Any,
    above: Any,
    below: Any,
    down: Any,
    left: Any,
    right: Any,
    across: Any,
    row: Any,
    channels: Any,
) -> Any:
    signature = types.void(
        colour, region_of, region, above, below, down, left, right, across, row, channels
    )

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number, wide = ir.IntType(32), ir.IntType(64)
        four, numbers = ir.VectorType(ir.FloatType(), 4), ir.VectorType(number, 4)
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(four, [four] * 3), "llvm.fma.v4f32"
        )

        def data(k: int) -> Any:
            return context.make_array(signature.args[k])(context, builder, args[k]).data

        def vector(kind: Any, values: list[Any]) -> Any:
            result = ir.Constant(kind, ir.Undefined)
            for k, value in enumerate(values):
                result = builder.insert_element(result, value, ir.Constant(number, k))
            return result

        def lanes(values: Any, order: list[int]) -> Any:
            return builder.shuffle_vector(values, values, ir.Constant(numbers, order))

        def element(array: Any, index: Any) -> Any:
            return builder.load(builder.gep(array, [index]))

        colour, region_of, left, right, across, row = (data(k) for k in (0, 1, 6, 7, 8, 9))
        region, above, below, down, channels = (args[k] for k in (2, 3, 4, 5, 10))
        one, none = ir.Constant(ir.FloatType(), 1.0), ir.Constant(four, None)
        up = builder.fsub(one, down)
        vertical, own = vector(four, [up, up, down, down]), vector(numbers, [region] * 4)
        length = context.make_array(signature.args[6])(context, builder, args[6]).shape
        with cgutils.for_range(builder, builder.extract_value(length, 0)) as loop:
            start = builder.zext(element(left, loop.index), wide)
            stop = builder.zext(element(right, loop.index), wide)
            after = element(across, loop.index)
            before = builder.fsub(one, after)
            weights = builder.fmul(vertical, vector(four, [before, after, before, after]))
            pixels = [builder.add(y, x) for y in (above, below) for x in (start, stop)]
            total = none
            for k, pixel in enumerate(pixels):
                place = builder.gep(colour, [builder.mul(pixel, ir.Constant(wide, 3))])
                rgb = builder.load(builder.bitcast(place, four.as_pointer()), align=4)
                total = builder.call(fma, [rgb, lanes(weights, [k] * 4), total])
            neighbours = vector(numbers, [element(region_of, pixel) for pixel in pixels])
            mask = builder.select(builder.icmp_signed("==", neighbours, own), weights, none)
            mask = builder.fadd(mask, lanes(mask, [2, 3, 0, 1]))
            mask = builder.fadd(mask, lanes(mask, [1, 0, 3, 2]))
            place = builder.gep(row, [builder.mul(loop.index, channels)])
            place = builder.bitcast(place, four.as_pointer())
            builder.store(builder.fmul(total, mask), place, align=4)
        return context.get_dummy_value()

    return signature, generate


@llvm(_blend_row)
def blend_row(
    colour: np.ndarray,
    region_of: np.ndarray,
    region: int,
    above: int,
    below: int,
    down: float,
    left: np.ndarray,
    right: np.ndarray,
    across: np.ndarray,
    row: np.ndarray,
    channels: int,
) -> None:
    """Bilinear colour times bilinear mask, for a row of positions between two rows of pixels.

    Four numbers are written at once, of which the fourth is meaningless.

    Args:
        colour: [HW · 3 + 1] float32; the last is any number.
        region_of: [HW] int32, region of each pixel.
        region: Which one.
        above: First pixel of the upper row.
        below: First pixel of the lower row.
        down: How far below the upper row the positions lie, in [0, 1], float32.
        left: [n] uint32, column left of each position.
        right: [n] uint32, column right of it.
        across: [n] float32, how far it is right of the left one.
        row: [n · channels] float32, written: row[j · channels] and the three behind it.
        channels: From a position's numbers to the next one's.
    """
    one = np.float32(1)
    for j in range(len(left)):
        up, before, after = one - down, one - across[j], across[j]
        pixels = above + left[j], above + right[j], below + left[j], below + right[j]
        weights = up * before, up * after, down * before, down * after
        total = np.zeros(4, np.float32)
        masks = []
        for pixel, weight in zip(pixels, weights, strict=True):
            total = fused_multiply_add(colour[3 * pixel : 3 * pixel + 4], weight, total)
            masks.append(weight if region_of[pixel] == region else one - one)
        mask = (masks[0] + masks[2]) + (masks[1] + masks[3])
        row[j * channels : j * channels + 4] = total * mask


@kernel
def bilinear_samples(
    colour: np.ndarray,
    region_of: np.ndarray,
    width: int,
    region: int,
    bbox: np.ndarray,
    vector: np.ndarray,
) -> None:
    """Bilinear colour times bilinear mask at every position.

    Args:
        colour: [HW · 3 + 1] float32, prepared; the last is any number.
        region_of: [HW] int32, region of each pixel.
        width: W.
        region: Which one.
        bbox: (x_min, y_min, x_max, y_max) of the region, max exclusive.
        vector: [β, β, C], C ≥ 4, of which the first three channels are filled, and the fourth
            is overwritten.
    """
    bins = np.int64(vector.shape[0])
    left, right = np.empty(bins, np.uint32), np.empty(bins, np.uint32)
    across = np.empty(bins, np.float32)
    for j in range(bins):
        x = position(bbox[0], bbox[2] - 1, j, bins)
        left[j] = np.uint32(x)
        right[j] = min(left[j] + 1, bbox[2] - 1)
        across[j] = x - np.float64(left[j])
    for i in range(bins):
        y = position(bbox[1], bbox[3] - 1, i, bins)
        top = np.int64(y)
        bottom = min(top + 1, bbox[3] - 1)
        blend_row(
            colour,
            region_of,
            np.int32(region),
            top * width,
            bottom * width,
            np.float32(y - np.float64(top)),
            left,
            right,
            across,
            vector[np.uint32(i)].reshape(-1),
            np.int64(vector.shape[2]),
        )


@kernel
def nearest_samples(
    colour: np.ndarray,
    region_of: np.ndarray,
    width: int,
    region: int,
    bbox: np.ndarray,
    vector: np.ndarray,
) -> None:
    """Colour of the pixel nearest to every position, 0 where it is another region's.

    The arguments are those of `bilinear_samples`.
    """
    bins = vector.shape[0]
    column = np.empty(bins, np.uint32)
    for j in range(bins):
        column[j] = np.uint32(np.rint(position(bbox[0], bbox[2] - 1, j, bins)))
    for i in range(bins):
        row = np.int64(np.rint(position(bbox[1], bbox[3] - 1, i, bins))) * width
        for j in range(bins):
            pixel = row + column[j]
            for c in range(3):
                vector[i, j, c] = colour[3 * pixel + c] if region_of[pixel] == region else _ZERO


@kernel
def position(low: int, high: int, k: int, bins: int) -> float:
    """The k-th of β positions from low to high, rounded as in the plain version."""
    return low + np.float64(k * (high - low)) / (bins - 1)
