"""Gaussians of the bins around values, TILE of them at once in the processor's registers."""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from spitgraph.kernels.cpu.elementary import fused_multiply_add
from spitgraph.kernels.cpu.jit import llvm

#: Exponentials at once, and sides of a tile of sums: they fill the widest registers of today's
#: processors.
TILE = 16
#: As in the plain version: beyond lie denormal numbers.
_CUTOFF = 40.0

#: Adding this to a number below 2²² rounds it to a whole one, which is then in the lowest bits.
_ROUND = 1.5 * 2**23
#: 2^f for |f| ≤ ½, relatively to 7.5e-8 (least maximum error), from the highest power down.
_POWERS = (0.00132764706, 0.00967554132, 0.0555071328, 0.240221197, 0.693146967, 1.00000007)

#: TILE numbers.
ROW = ir.VectorType(ir.FloatType(), TILE)
_BITS, _LENGTH = ir.IntType(32), ir.IntType(64)
_ROW_BITS = ir.VectorType(_BITS, TILE)


def _constant(x: float) -> Any:
    return ir.Constant(ROW, [float(np.float32(x))] * TILE)


def splat(builder: Any, value: Any) -> Any:
    """TILE times the same number."""
    vector = ir.Constant(ROW, ir.Undefined)
    vector = builder.insert_element(vector, value, ir.Constant(_BITS, 0))
    return builder.shuffle_vector(vector, vector, ir.Constant(_ROW_BITS, None))


def _gaussian(builder: Any, offset: Any) -> Any:
    """exp(−x²) of TILE numbers x, absolutely to 2e-7."""

    def call(name: str, *arguments: Any) -> Any:
        kind = ir.FunctionType(ROW, [ROW] * len(arguments))
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{TILE}f32")
        return builder.call(function, arguments)

    square = call("minnum", builder.fmul(offset, offset), _constant(_CUTOFF))
    to_powers_of_2 = _constant(-1 / math.log(2))
    rounded = call("fma", square, to_powers_of_2, _constant(_ROUND))
    fraction = call("fma", square, to_powers_of_2, builder.fsub(_constant(_ROUND), rounded))
    result = _constant(_POWERS[0])
    for power in _POWERS[1:]:
        result = call("fma", result, fraction, _constant(power))
    # times 2 to the power of the whole number, which is added to the exponent
    exponent = builder.shl(builder.bitcast(rounded, _ROW_BITS), ir.Constant(_ROW_BITS, [23] * TILE))
    return builder.bitcast(builder.add(builder.bitcast(result, _ROW_BITS), exponent), ROW)


def _gaussians(
    typing: Any, values: Any, which: Any, first: Any, count: Any, centres: Any, result: Any
) -> Any:
    signature = types.void(values, which, first, count, centres, result)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, centres, result = (
            context.make_array(signature.args[k])(context, builder, args[k]) for k in (0, 4, 5)
        )

        def row(array: Any, index: Any) -> Any:
            return builder.bitcast(builder.gep(array.data, [index]), ROW.as_pointer())

        num_bins = builder.extract_value(centres.shape, 0)
        zero, tile = ir.Constant(_LENGTH, 0), ir.Constant(_LENGTH, TILE)
        with cgutils.for_range_slice(builder, zero, num_bins, tile) as (bins, _):
            near = builder.load(row(centres, bins), align=4)
            with cgutils.for_range(builder, args[3]) as loop:
                place = builder.mul(builder.add(args[2], loop.index), ir.Constant(_LENGTH, 2))
                value = builder.load(builder.gep(values.data, [builder.add(place, args[1])]))
                kernel = _gaussian(builder, builder.fsub(splat(builder, value), near))
                into = row(result, builder.add(builder.mul(loop.index, num_bins), bins))
                builder.store(kernel, into, align=4)
        return context.get_dummy_value()

    return signature, generate


@llvm(_gaussians)
def gaussians(
    values: np.ndarray,
    which: int,
    first: int,
    count: int,
    centres: np.ndarray,
    result: np.ndarray,
) -> None:
    """result[p, k] = exp(−(v − centres[k])²) for v = values[first + p, which], p < count.

    Args:
        values: [n, 2] float32.
        which: Column.
        first: First row.
        count: Rows.
        centres: [P] float32, P a multiple of TILE.
        result: [≥ count, P] float32, written.
    """
    offset = values[first : first + count, which, None] - centres
    square = np.fmin(offset * offset, np.float32(_CUTOFF))
    magic, to_powers_of_2 = np.float32(_ROUND), np.float32(-1 / math.log(2))
    rounded = fused_multiply_add(square, to_powers_of_2, magic)
    fraction = fused_multiply_add(square, to_powers_of_2, magic - rounded)
    power = np.full_like(square, _POWERS[0])
    for coefficient in _POWERS[1:]:
        power = fused_multiply_add(power, fraction, np.float32(coefficient))
    bits = power.view(np.int32) + (rounded.view(np.int32) << 23)
    result[:count] = bits.view(np.float32)
