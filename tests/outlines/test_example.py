"""The example writes a file that can be read, and says what it did."""

import runpy
import sys
from xml.etree import ElementTree

import pytest
from PIL import Image

from helpers.outlines import paths_of
from helpers.places import REPOSITORY

pytest.importorskip("shapely")


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    Image.effect_noise((40, 30), 60).save(tmp_path / "noise.png")
    place = tmp_path / "made.svg"
    given = ["vectorize.py", str(tmp_path / "noise.png"), "-o", str(place), "--num-tokens", "9"]
    monkeypatch.setattr(sys, "argv", given)
    runpy.run_path(str(REPOSITORY / "examples" / "vectorize.py"), run_name="__main__")
    assert "9 regions" in capsys.readouterr().out
    text = place.read_text("utf8")
    assert ElementTree.fromstring(text.encode()) is not None and len(paths_of(text)) == 9
