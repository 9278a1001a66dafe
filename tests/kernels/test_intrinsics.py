"""What is written in LLVM's instructions gives the bits of its NumPy body."""

from fractions import Fraction

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from spitgraph.contraction.cpu.work import arrays_of, working_memory  # noqa: E402
from spitgraph.extractors.interpolation.cpu.gaussians import TILE, gaussians  # noqa: E402
from spitgraph.extractors.interpolation.cpu.products import sum_tile  # noqa: E402
from spitgraph.extractors.interpolation.cpu.samples import blend_row  # noqa: E402
from spitgraph.kernels.cpu.elementary import fma, fused_multiply_add  # noqa: E402
from spitgraph.kernels.cpu.team import fetch_add, load, store  # noqa: E402

pytestmark = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="nothing to compare: nothing is compiled"
)


@pytest.fixture
def random():
    return np.random.default_rng(0)


@numba.njit
def compiled_fma(a, b, c, out):
    for i in range(len(a)):
        out[i] = fma(a[i], b[i], c[i])


@numba.njit
def compiled_gaussians(*args):
    gaussians(*args)


@numba.njit
def compiled_sum_tile(*args):
    sum_tile(*args)


@numba.njit
def compiled_blend_row(*args):
    blend_row(*args)


@numba.njit
def compiled_board(board):
    return fetch_add(board, 1, 5), store(board, 0, 7), load(board, 1)


def awkward(random, kind):
    """Products that nearly cancel, ties, denormal, huge and signed numbers, NaN."""
    digits = np.finfo(kind).nmant
    a, b = (random.normal(size=4000).astype(kind) for _ in range(2))
    c = -(a * b)
    c[::3] *= 1 + kind(2.0**-digits) * random.integers(-3, 4, len(c[::3]))
    c[1::3] = random.normal(size=len(c[1::3])) * 2.0 ** random.integers(-60, 60, len(c[1::3]))
    # c in the last place, the product half of it, or nearly
    a[:500], b[:500] = 1 + kind(2.0**-digits), kind(2.0) ** (-digits - 1)
    c[:500] = 1 + random.integers(0, 8, 500) * kind(2.0**-digits)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, np.finfo(kind).tiny, np.finfo(kind).max]
    grid = np.array(np.meshgrid(special, special, special), kind).reshape(3, -1)
    return (np.concatenate(pair) for pair in zip((a, b, c), grid, strict=True))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_fused_multiply_add_rounds_once(random, kind):
    a, b, c = awkward(random, kind)
    out = np.empty_like(a)
    compiled_fma(a, b, c, out)
    with np.errstate(all="ignore"):
        expected = np.array([fused_multiply_add(*row) for row in zip(a, b, c, strict=True)])
    assert expected.dtype == kind
    np.testing.assert_array_equal(out, expected)
    number = ~np.isnan(out)
    np.testing.assert_array_equal(np.signbit(out)[number], np.signbit(expected)[number])


def test_and_to_the_nearest():
    a, b, c = np.float32(1 + 2**-23), np.float32(2.0**-24), np.float32(1 + 2**-23)
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    got = Fraction(float(fused_multiply_add(a, b, c)))
    around = [Fraction(float(np.nextafter(np.float32(got), np.float32(s)))) for s in (0, 2)]
    assert all(abs(exact - got) < abs(exact - other) for other in around)


def test_gaussians(random):
    values = (random.normal(size=(30, 2)) * 3).astype(np.float32)
    values[0] = 100
    centres = np.linspace(-2, 2, 2 * TILE, dtype=np.float32)
    one, other = np.zeros((2, 20, 2 * TILE), np.float32)
    compiled_gaussians(values, 1, 4, 20, centres, one)
    gaussians.py_func(values, 1, 4, 20, centres, other)
    np.testing.assert_array_equal(one, other)
    exact = np.exp(-((values[4:24, 1, None].astype(float) - centres) ** 2))
    np.testing.assert_allclose(one, exact, rtol=0, atol=2e-7)


def test_sum_tile(random):
    vertical, horizontal = random.normal(size=(2, 40, 2 * TILE)).astype(np.float32)
    one, other = np.full((2, TILE, TILE), np.nan, np.float32)
    compiled_sum_tile(vertical, horizontal, TILE, 0, 33, one)
    sum_tile.py_func(vertical, horizontal, TILE, 0, 33, other)
    np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(one, vertical[:33, TILE:].T @ horizontal[:33, :TILE], rtol=1e-4)


def test_blend_row(random):
    width, columns, channels = 9, 7, 5
    colour = random.uniform(size=3 * 2 * width + 1).astype(np.float32)
    region_of = random.integers(0, 2, 2 * width).astype(np.int32)
    left = random.integers(0, width - 1, columns).astype(np.uint32)
    across = random.uniform(size=columns).astype(np.float32)
    rows = np.zeros((2, columns * channels), np.float32)
    for function, row in zip((compiled_blend_row, blend_row.py_func), rows, strict=True):
        arguments = np.int32(1), 0, width, np.float32(0.3), left, left + np.uint32(1), across
        function(colour, region_of, *arguments, row, channels)
    meant = np.arange(columns * channels) % channels != 3
    np.testing.assert_array_equal(*rows[:, meant])
    assert rows[0].any()


def test_the_board():
    one, other = np.array([[3, 4], [3, 4]])
    expected = fetch_add.py_func(other, 1, 5), store.py_func(other, 0, 7), load.py_func(other, 1)
    assert compiled_board(one) == expected == (4, 3, 9)
    np.testing.assert_array_equal(one, other)


@numba.njit
def fill_arrays(memory):
    work = arrays_of(memory.dense, memory.sparse, memory.layout)
    work.level[0], work.moments[1], work.border[2, 1, 7] = 3, 0.5, 4
    work.lab[1, 2, 47], work.sums[1, -1, 4], work.box[1, 2, 3] = 5, 6, 7
    work.crossing[1, -1], work.cut[-1] = 8, 9
    return work.u.shape, work.lab.shape, work.lab.strides, work.sums.strides


def test_arrays_lie_where_the_layout_says():
    memory = working_memory(96, 8, 10, 5, boxes=True, lab=True, chunks=3, rows=4, threads=2)
    work = arrays_of.py_func(*memory)
    shapes = fill_arrays(memory)
    assert shapes == (work.u.shape, work.lab.shape, work.lab.strides, work.sums.strides)
    assert (work.level[0], work.moments[1], work.border[2, 1, 7]) == (3, 0.5, 4)
    assert (work.lab[1, 2, 47], work.sums[1, -1, 4], work.box[1, 2, 3]) == (5, 6, 7)
    assert (work.crossing[1, -1], work.cut[-1]) == (8, 9)
    assert np.array_equal(memory.board, work.board)
