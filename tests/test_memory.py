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
    if library == "another":
        monkeypatch.setattr(memory, "_glibc", lambda: None)
    with kernels.plain():
        expected = tokenizer(awkward_images)
        with memory.kept_at_hand(2**16):
            assert_same(tokenizer(awkward_images), expected)


def test_nothing_is_kept_unless_asked_for(monkeypatch):
    """Tokenizing leaves the C library's settings alone."""
    touched = []
    monkeypatch.setattr(memory, "_glibc", lambda: touched.append(True))
    for image in (torch.rand(3, 9, 9), torch.rand(3, 1024, 1025)):
        SuperpixelTokenizer(1)(image)
        with kernels.plain():
            SuperpixelTokenizer(1)(image)
    assert not touched


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells how much memory is held")
def test_memory_is_given_back():
    num_pixels = 2**20
    with memory.kept_at_hand():
        pass  # at its end, what earlier tests left behind is given back
    before = resident()
    with memory.kept_at_hand(num_pixels):
        for _ in range(3):
            held = [torch.ones(num_pixels) for _ in range(8)]
            assert resident() - before > 7 * 4 * num_pixels
            del held
    assert resident() - before < 4 * 4 * num_pixels


def test_an_error_within_ends_it():
    with pytest.raises(ZeroDivisionError), memory.kept_at_hand():
        raise ZeroDivisionError
