"""`spitgraph warm-up` says in one line why kernels cannot be compiled."""

import pytest

from helpers.commands import is_one_line
from spitgraph import kernels
from spitgraph.cli.errors import DONE, NOTHING_DONE
from spitgraph.kernels.pipelines import PIPELINES

TRACEBACK = """the cells kernels could not be compiled: Traceback (most recent call last):
  File "<string>", line 1, in <module>
OSError: no room
"""


def test_it_says_what_serves(run):
    pytest.importorskip("numba")
    status, text, errors = run("warm-up")
    assert (status, errors) == (DONE, "")
    assert [line.split()[0] for line in text.splitlines()] == [*PIPELINES, "kept"]


@pytest.mark.parametrize(
    "error, message",
    [
        (RuntimeError(TRACEBACK), "the cells kernels could not be compiled: OSError: no room"),
        (RuntimeError("killed"), "killed"),
        (OSError("there is no Python interpreter"), "there is no Python interpreter"),
    ],
)
def test_it_says_why_not(run, monkeypatch, error, message):
    pytest.importorskip("numba")

    def warm_up():
        raise error

    monkeypatch.setattr(kernels, "warm_up", warm_up)
    status, text, errors = run("warm-up")
    assert (status, text, errors) == (NOTHING_DONE, "", f"spitgraph: {message}\n")
    assert is_one_line(errors)
