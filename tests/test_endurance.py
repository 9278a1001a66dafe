"""Short runs of the two long ones: random inputs, and many threads."""

import subprocess
import sys

import pytest

from helpers.places import REPOSITORY

pytest.importorskip("numba")


def run(script, *arguments):
    command = [sys.executable, str(REPOSITORY / "benchmarks" / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout


def test_random_inputs_become_sound_graphs_or_are_refused():
    out = run("fuzz.py", "--count", "300", "--seed", "2000000", "--limit", "60")
    assert "no finds" in out


def test_results_do_not_depend_on_threads():
    out = run("stress.py", "--seconds", "2", "--processes", "0")
    assert out.count(" right: ") == 2
