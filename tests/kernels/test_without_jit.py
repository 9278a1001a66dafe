"""`NUMBA_DISABLE_JIT=1`: kernels as plain Python functions give the same results."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")

ROOT = Path(__file__).parents[2]
#: Where tests are marked `steps`.
FOLDERS = ("kernels", "contraction", "regions", "extractors")


def test_the_step_tests_pass_without_compiling():
    tests = [str(ROOT / "tests" / name) for name in FOLDERS if (ROOT / "tests" / name).is_dir()]
    command = [sys.executable, "-m", "pytest", "-m", "steps", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "passed" in done.stdout and "skipped" not in done.stdout
