"""The demonstration writes three files a picture, wherever it is run from."""

import runpy
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

DEMO = Path(__file__).resolve().parents[1] / "examples" / "demo.py"


def test_demo(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    Image.effect_noise((40, 30), 60).save(tmp_path / "noise.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(DEMO), "noise.png", "-o", "made"])
    runpy.run_path(str(DEMO), run_name="__main__")
    names = ["noise-levels.png", "noise-overlay.png", "noise.pt"]
    assert sorted(path.name for path in Path("made").iterdir()) == names
    assert Image.open("made/noise-overlay.png").size == (80, 60)
    tokens = torch.load("made/noise.pt", weights_only=True)
    row = capsys.readouterr().out.splitlines()[1]
    assert row.split()[:4] == ["noise", "40×30", str(len(tokens.size)), str(tokens.num_edges // 2)]
    assert all(name in row for name in names)


def test_the_pictures_it_shows_are_there():
    assert len(runpy.run_path(str(DEMO))["PICTURES"]) >= 2
