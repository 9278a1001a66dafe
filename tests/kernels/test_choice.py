"""When the fused kernels serve, and when the plain operations do."""

import threading

import pytest
import torch

from spitgraph import InterpolationExtractor, SuperpixelTokenizer, kernels

CPU = torch.device("cpu")


@pytest.fixture
def without_compilers(monkeypatch):
    """As if neither Numba nor Triton were installed."""
    monkeypatch.setattr(kernels, "COMPILERS", {"cpu": "no_such_module"})
    kernels._has_compiler.cache_clear()
    yield
    kernels._has_compiler.cache_clear()


def test_everything_works_without_a_compiler(without_compilers, awkward_images):
    assert not kernels.fused(CPU, "contraction")
    x = InterpolationExtractor(4)(SuperpixelTokenizer()(awkward_images)).x
    assert x.isfinite().all()


def test_other_devices_have_no_kernels():
    assert not kernels.fused(torch.device("meta"), "contraction")


def test_plain_holds_for_its_block_and_thread_only():
    pytest.importorskip("numba")
    seen = []
    with kernels.plain():
        assert not kernels.fused(CPU, "contraction")
        thread = threading.Thread(target=lambda: seen.append(kernels.fused(CPU, "contraction")))
        thread.start()
        thread.join()
        with kernels.plain():
            pass
        assert not kernels.fused(CPU, "contraction")
    assert kernels.fused(CPU, "contraction")
    assert seen == [True]
