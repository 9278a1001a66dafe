"""examples/compare_tokenizers.py writes its pictures, and says which image it cannot read."""

import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "compare_tokenizers.py"


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), *map(str, arguments)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")


def test_pictures_are_written(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    Image.effect_noise((40, 30), 60).save(tmp_path / "noise.png")
    run(monkeypatch, tmp_path / "noise.png", "-n", 12, "-o", tmp_path / "made")
    names = ["comparison.png", "stability.png", "statistics.png"]
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == names
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[2:6]] == ["superpixels", "fine", "patches", "Voronoi"]


def test_an_unreadable_picture_is_named(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as exit:
        run(monkeypatch, tmp_path / "none.jpg")
    assert exit.value.code == 2 and "none.jpg" in capsys.readouterr().err
