"""torch.compile takes the model whole, and not anew for every token count."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.places import REPOSITORY

#: At first shapes are fixed; then the number of tokens varies, then the number of images.
GRAPHS = 3
CASES = ["plain", "training", "inductor", "sizes", "registers", "attention"]

# in one worker of `pytest -n --dist loadgroup`: the reports take long
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("compilation")]


@pytest.fixture(scope="module")
def reports():
    """What compiling.py prints."""
    script = Path(__file__).with_name("compiling.py")
    path = os.pathsep.join([str(REPOSITORY / "tests"), str(REPOSITORY)])
    done = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", CASES)
def test_one_graph_serves_all_token_counts(reports, case):
    if case not in reports:
        pytest.skip("no C++ compiler")
    report = reports[case]
    assert 1 <= report["graphs"] <= GRAPHS
    assert report["breaks"] == 0
    assert report["difference"] < 1e-5


def test_a_model_may_be_compiled_from_pictures_on(reports):
    """Without kernels too, which torch.compile does not look into."""
    assert reports["pictures"] < 1e-5


def test_attention_is_read_from_a_compiled_model_but_not_from_compiled_parts(reports):
    whole, refusal = reports["attention weights"]
    assert whole
    assert "no attention weights available" in refusal and "torch.compile" in refusal


def test_pretrained_vits_may_be_compiled_whole_or_in_part(reports):
    assert reports["pretrained"] < 1e-5
