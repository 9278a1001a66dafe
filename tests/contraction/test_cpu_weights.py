"""Compiled edge weights: rows of pixels are weighed as lists of edges are."""

import numpy as np
import pytest

pytest.importorskip("numba")

from spitgraph.contraction.cpu import weights  # noqa: E402
from spitgraph.contraction.cpu.work import TABLE, arrays_of, working_memory  # noqa: E402


@pytest.mark.parametrize("compactness", [0.0, 0.3])
@pytest.mark.parametrize("code", weights.CODES.values(), ids=weights.CODES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("shift", [0, 1])
def test_rows_of_pixels_and_lists_of_edges(channels, code, compactness, shift):
    width = 37
    generator = np.random.default_rng(channels)
    rows = generator.integers(-(2**20), 2**20, (2, channels, width)) * weights.UNIT
    rows[:, :, 5] = 0.0  # a mean without direction
    out = np.empty(width)
    weights.row_weights(code, compactness, rows[0], rows[1], shift, out)

    x = np.arange(width - shift, dtype=np.uint32)
    mean = np.ascontiguousarray(np.concatenate(rows, axis=1).T)
    # the second row lies below the first, or is the same
    corner = np.stack([np.tile(np.arange(width), 2), np.repeat([0, 1 - shift], width)], axis=1)
    box = np.concatenate([corner, corner + 1], axis=1).astype(np.int32)
    expected = np.empty(len(x))
    weights.edge_weights(
        code,
        compactness,
        x,
        x + np.uint32(width + shift),
        mean,
        np.ones(2 * width, np.int32),
        box,
        expected,
    )
    assert np.array_equal(out[: width - shift], expected)


def test_memory_is_what_the_table_says():
    memory = working_memory(96, 8, 10, 5, boxes=True, lab=True, chunks=3, rows=4, threads=2)
    work = getattr(arrays_of, "py_func", arrays_of)(*memory)
    for name, row in TABLE.items():
        array = getattr(work, name)
        assert array.dtype == row.dtype, name
        assert array.ndim == len(row.shape.split()), name
    assert work.lab.shape == (2, 3, 4 * 8 + 2 * 8)
    assert work.border.shape == (3, 2, 8)
