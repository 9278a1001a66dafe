"""Sums of outer products, whose 16×16 running sums stay in the processor's registers.

Left to the compiler, a loop over plain arrays would load and store the sums at every step, and
check at every row whether the arrays overlap.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from spitgraph.extractors.interpolation.cpu.gaussians import ROW, TILE, splat
from spitgraph.kernels.cpu.elementary import fused_multiply_add
from spitgraph.kernels.cpu.jit import kernel, llvm


def _sum_tile(
    typing: Any, vertical: Any, horizontal: Any, i: Any, j: Any, count: Any, tile: Any
) -> Any:
    signature = types.void(vertical, horizontal, i, j, count, tile)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ROW, [ROW] * 3)
        fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{TILE}f32")

        def array(k: int) -> Any:
            return context.make_array(signature.args[k])(context, builder, args[k])

        down, across, sums = array(0), array(1), array(5)
        length = builder.extract_value(down.shape, 1)
        totals = [cgutils.alloca_once_value(builder, ir.Constant(ROW, None)) for _ in range(TILE)]
        with cgutils.for_range(builder, args[4]) as loop:
            start = builder.mul(loop.index, length)
            v = builder.gep(down.data, [builder.add(start, args[2])])
            h = builder.gep(across.data, [builder.add(start, args[3])])
            h = builder.load(builder.bitcast(h, ROW.as_pointer()), align=4)
            for a, total in enumerate(totals):
                scalar = builder.load(builder.gep(v, [ir.Constant(length.type, a)]))
                builder.store(
                    builder.call(fma, [splat(builder, scalar), h, builder.load(total)]), total
                )
        out = builder.bitcast(sums.data, ROW.as_pointer())
        for a, total in enumerate(totals):
            to = builder.gep(out, [ir.Constant(length.type, a)])
            builder.store(builder.load(total), to, align=4)
        return context.get_dummy_value()

    return signature, generate


@llvm(_sum_tile)
def sum_tile(
    vertical: np.ndarray, horizontal: np.ndarray, i: int, j: int, count: int, tile: np.ndarray
) -> None:
    """tile[a, b] = Σ_p vertical[p, i + a] · horizontal[p, j + b] over p < count, in that order.

    Args:
        vertical: [≥ count, P] float32.
        horizontal: [≥ count, P] float32.
        i: First column of the one.
        j: First column of the other.
        count: Rows.
        tile: [TILE, TILE] float32, written.
    """
    tile[:] = 0
    for p in range(count):
        down, across = vertical[p, i : i + TILE], horizontal[p, j : j + TILE]
        tile[:] = fused_multiply_add(down[:, None], across, tile)


@kernel
def add_products(
    vertical: np.ndarray, horizontal: np.ndarray, count: int, total: np.ndarray
) -> None:
    """Add Σ vertical[p] ⊗ horizontal[p] over the first `count` rows to `total`.

    Args:
        vertical: [n, P] float32, P a multiple of 16.
        horizontal: [n, P] float32.
        count: At most n; few enough for a sum in float32.
        total: [P, P] float64.
    """
    tile = np.empty((TILE, TILE), np.float32)
    for i in range(0, total.shape[0], TILE):
        for j in range(0, total.shape[1], TILE):
            sum_tile(vertical, horizontal, i, j, count, tile)
            for a in range(TILE):
                into = total[i + a, j : j + TILE]
                for b in range(TILE):
                    into[b] += tile[a, b]
