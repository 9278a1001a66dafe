"""What a user may not read or write is told in a line; what they may is done."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers.commands import is_one_line, written
from spitgraph.cli.errors import NOTHING_DONE, SOME_FAILED

NOBODY = 65534


@contextmanager
def somebody():
    """Not root, to whom everything is permitted."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.fixture
def run_as_somebody(run):
    def run_as_somebody(*args):
        with somebody():
            return run(*args)

    return run_as_somebody


@pytest.fixture
def home(draw):
    """A folder of somebody's own with a good picture, another in `inner`, and a folder to fill."""
    with somebody():
        home = Path(tempfile.mkdtemp(prefix="spitgraph-test-"))
        (home / "inner").mkdir()
        (home / "filled").mkdir()
    for place in (home / "good.png", home / "inner" / "bad.png"):
        shutil.copy(draw("x.png"), place)
        place.chmod(0o644)
    yield home
    for folder in (home / "inner", home / "filled"):
        folder.chmod(0o700)
    shutil.rmtree(home)


@pytest.mark.parametrize("place, mode", [("inner", 0), ("inner", 0o444), ("inner/bad.png", 0)])
@pytest.mark.parametrize("named", ["inner", "inner/bad.png"])
def test_what_may_not_be_read_is_told_and_others_are_done(
    run_as_somebody, home, place, mode, named
):
    (home / place).chmod(mode)
    out = home / "out"
    status, text, errors = run_as_somebody("tokenize", home / named, home / "good.png", "-o", out)
    assert status == SOME_FAILED and text.startswith("1 of 2")
    assert is_one_line(errors) and "ermission denied" in errors and str(home / "inner") in errors
    assert written(out) == ["good.pt"]
    assert run_as_somebody("tokenize", home / named, "-o", out)[0] == NOTHING_DONE
    status, _, errors = run_as_somebody("info", home / "inner" / "bad.png")
    assert status == NOTHING_DONE and is_one_line(errors) and "ermission denied" in errors


@pytest.mark.parametrize("out", ["filled", "filled/deep/er"])
def test_a_folder_that_may_not_be_written_to_ends_the_run(run_as_somebody, home, out):
    (home / "filled").chmod(0o555)
    status, text, errors = run_as_somebody(
        "tokenize", home / "good.png", home / "inner" / "bad.png", "-o", home / out
    )
    assert status == NOTHING_DONE and text.startswith("0 of 2")
    assert is_one_line(errors) and str(home / out) in errors and "ermission denied" in errors
    assert os.listdir(home / "filled") == []
