"""Small images through every kernel: the same tokens as the plain ones.

With `NUMBA_DISABLE_JIT=1` kernels are plain Python, which a debugger steps through, and NumPy's
checks of bounds hold: `test_without_jit` has all tests marked `steps` run so.
"""

import inspect

import numpy as np
import pytest
import torch

from spitgraph import InterpolationExtractor, SuperpixelTokenizer, kernels

numba = pytest.importorskip("numba")

from spitgraph.contraction.cpu import batch  # noqa: E402
from spitgraph.contraction.cpu.weights import edge_priority  # noqa: E402

pytestmark = pytest.mark.steps

SETTINGS = [
    {"levels": 3},
    {"levels": 2, "similarity": "ward", "compactness": 0.1},
    {"levels": 2, "similarity": "cosine"},
    {"levels": 2, "features": "spit"},
    {"num_tokens": 6, "compactness": 0.3},
]
SIZES = [(1, 6), (7, 1), (9, 11)]


def pictures(height, width):
    """Noise of 8 bits, other noise, and few shades, where many edges are equals."""
    generator = torch.Generator().manual_seed(height)
    noise = torch.randint(256, (3, height, width), generator=generator).byte()
    ramp = (torch.arange(3 * height * width).view(3, height, width) % 5 * 50).byte()
    return [noise, noise / 255 * 0.3, ramp]


@pytest.fixture(params=["alone", "team"])
def layout(request, monkeypatch):
    if request.param == "team":
        for name in ("LARGE", "LARGE_OF_FEW"):
            monkeypatch.setattr(batch, name, 1)
        monkeypatch.setattr(batch, "LEAST", 12)


@pytest.fixture
def poisoned(monkeypatch):
    """Memory that is fresh holds NaN, or the largest numbers: who reads it before writing, errs.

    Where kernels are compiled, this reaches what is allocated outside of them.
    """
    empty = np.empty

    def poison(*args, **kwargs):
        array = empty(*args, **kwargs)
        if array.flags.c_contiguous:
            array.reshape(-1).view(np.uint8)[:] = 0xFF
        return array

    monkeypatch.setattr(np, "empty", poison)
    monkeypatch.setattr("spitgraph.kernels.cpu.memory.LARGE", float("inf"))


def test_kernels_are_python_functions_where_nothing_is_compiled():
    assert inspect.isfunction(edge_priority) == bool(numba.config.DISABLE_JIT)
    assert kernels.fused(torch.device("cpu"), "contraction")


@pytest.mark.parametrize("options", SETTINGS, ids=lambda options: "-".join(map(str, options)))
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_tokens_are_those_of_the_plain_path(layout, poisoned, assert_same, options, size):
    tokenizer = SuperpixelTokenizer(**options)
    for image in pictures(*size):
        tokens = tokenizer(image)
        with kernels.plain():
            assert_same(tokens, tokenizer(image))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    ("bins", "gradient", "mode"),
    [(5, True, "bilinear"), (17, True, "nearest"), (2, False, "bilinear")],
)
def test_vectors_are_those_of_the_plain_path(poisoned, size, bins, gradient, mode):
    extractor = InterpolationExtractor(bins, gradient=gradient, mode=mode)
    for image in pictures(*size)[:2]:
        tokens = SuperpixelTokenizer(2)(image)
        x = extractor(tokens).x
        with kernels.plain():
            expected = extractor(tokens).x
        error = (x - expected).abs() / expected.abs().clamp(min=1)
        assert error.max() < 1e-6  # also fails on NaN
