"""Broken files of every format are read or refused: `UnreadableImageError`, and nothing else."""

import importlib.util
import random
import signal
import warnings
from functools import cache

import pytest
from PIL import Image

from helpers.places import REPOSITORY

SECONDS = 20


@cache
def fuzz_files():
    """The script that breaks as many as wanted, as a module."""
    place = REPOSITORY / "benchmarks" / "fuzz_files.py"
    spec = importlib.util.spec_from_file_location("fuzz_files", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def samples():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fuzz_files().samples()


@pytest.fixture(autouse=True)
def guarded(monkeypatch):
    """Small pictures only, so many seconds, and Pillow may warn."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2**20)
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, lambda *_: pytest.fail(f"took more than {SECONDS} s"))
        signal.alarm(SECONDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    if hasattr(signal, "SIGALRM"):
        signal.alarm(0)


def test_samples_are_of_many_formats_and_read():
    assert len({name.split()[0] for name in samples()}) > 12
    assert {"PNG RGB", "TIFF I;16", "JPEG L", "GIF P", "BMP 1", "PPM I", "TIFF F"} <= set(samples())


def test_whole_samples_are_read_unless_they_have_no_white(tmp_path):
    path = tmp_path / "whole"
    for name, content in samples().items():
        path.write_bytes(content)
        no_range = name.endswith(" I") or name.startswith("SPIDER")  # floats up to 255
        found = fuzz_files().outcome(path)
        assert found == "read" or (no_range and found == "refused"), name


@pytest.mark.parametrize("first", range(0, 400, 40))
def test_broken_files_are_read_or_refused(first, tmp_path):
    path = tmp_path / "broken"
    for number in range(first, first + 40):
        name, content = fuzz_files().case(number, samples())
        path.write_bytes(content)
        found = fuzz_files().outcome(path)
        assert found in ("read", "refused"), f"number {number}, {name}: {found}"


def test_breaking_a_file_does_not_depend_on_anything_else():
    content = bytes(range(256))
    for number in range(50):
        again = [fuzz_files().broken(content, random.Random(number)) for _ in range(2)]
        assert again[0] == again[1]
