"""spitgraph tokenize-corpus says what it needs before it does anything."""

import subprocess
import sys

from helpers.places import REPOSITORY

WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None
from spitgraph.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_the_extra_that_brings_all_is_named(tmp_path):
    words = ["tokenize-corpus", str(tmp_path), str(tmp_path / "out")]
    command = [sys.executable, "-c", WITHOUT_PYARROW, *words]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == 'spitgraph: pyarrow is missing: pip install "spitgraph[cluster]"\n'
    assert not (tmp_path / "out").exists()
