"""Memory kept at hand changes no result, and is given back."""

from pathlib import Path

import pytest
import torch

from spitgraph import SuperpixelTokenizer, kernels, memory

STATUS = Path("/proc/self/status")


def resident():
    """Bytes of memory that the process holds."""
    line = next(li for li in STATUS.read_text().splitlines() if li.startswith("VmRSS"))
    return 1024 * int(line.split()[1])


@pytest.mark.parametrize("library", ["glibc", "another"])
def test_tokens_are_the_same(monkeypatch, awkward_images, assert_same, library):
    tokenizer = SuperpixelTokenizer()
    with kernels.plain():
        expected = tokenizer(awkward_images)
        monkeypatch.setattr(memory, "LARGE", 1)
        if library == "another":
            monkeypatch.setattr(memory, "_glibc", lambda: None)
        assert_same(tokenizer(awkward_images), expected)


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells how much memory is held")
def test_memory_is_given_back():
    num_pixels = memory.LARGE
    before = resident()
    with memory.kept_at_hand(num_pixels):
        for _ in range(3):
            held = [torch.ones(num_pixels) for _ in range(8)]
            assert resident() - before > 7 * 4 * num_pixels
            del held
    assert resident() - before < 4 * 4 * num_pixels


def test_an_error_within_ends_it():
    with pytest.raises(ZeroDivisionError), memory.kept_at_hand(memory.LARGE):
        raise ZeroDivisionError
