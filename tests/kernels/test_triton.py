"""The Triton kernels, on a GPU, or else in Triton's interpreter and as far as its compiler goes.

Each in a process of its own: the interpreter is chosen before Triton is imported, or not at all.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
import torch

from spitgraph import kernels

HERE = Path(__file__).resolve().parent

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")


def test_a_triton_that_cannot_compile_does_not_serve(monkeypatch):
    triton = ModuleType("triton")
    monkeypatch.setenv("CC", sys.executable)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    for version, serves in {"3.1.0": False, "3.2.0": True, "3.10.0+git1": True}.items():
        triton.__version__ = version
        assert kernels._triton_serves(triton) == serves
    monkeypatch.setenv("CC", "no-such-compiler")
    assert not kernels._triton_serves(triton)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert kernels._triton_serves(triton)


def run(*arguments, **variables):
    """Run Python at the root of the repository, and show what it says if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    environment["PYTHONPATH"] = str(HERE.parents[1])  # this package, not another that is installed
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=HERE.parents[1],
        env={**environment, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("checks", ["triton_checks.py", "triton_fine_checks.py"])
def test_kernels_compute_what_the_plain_path_does(checks):
    interpreted = {} if torch.cuda.is_available() else {"TRITON_INTERPRET": "1"}
    arguments = "-m", "pytest", "-p", "no:cacheprovider", "-rs", str(HERE / checks)
    told = run(*arguments, **interpreted)
    assert "passed" in told and "skipped" not in told


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="the GPU compiles what it runs")
def test_kernels_compile_and_fuse_no_arithmetic(tmp_path):
    told = run(str(HERE / "triton_compile.py"), TRITON_CACHE_DIR=str(tmp_path))
    assert "contract: 12 kernels" in told  # all that contraction has
    assert "both rules: 27 kernels" in told  # and the fine rule
