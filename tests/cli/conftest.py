"""Commands run in this process, and pictures for them."""

import numpy as np
import pytest
from PIL import Image

from spitgraph.cli import main


@pytest.fixture
def run(capsys):
    """Run a command: its status, and what it wrote to stdout and stderr."""

    def run(*args):
        try:
            status = main([str(arg) for arg in args])
        except SystemExit as exit:
            status = exit.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def draw(tmp_path):
    """Draw a small picture to a path below `tmp_path`, each time another one; returns the path."""
    random = np.random.default_rng(0)

    def draw(name, format="PNG", side=10):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, format=format)
        return path

    return draw


@pytest.fixture
def pictures(tmp_path):
    """A folder with three pictures of different sizes, and things that are none."""
    folder = tmp_path / "pictures"
    (folder / "inner").mkdir(parents=True)
    for seed, name in enumerate(["b.png", "a.PNG", "c.png", "inner/d.png", "._a.png"]):
        pixels = np.random.default_rng(seed).integers(0, 256, (9 + seed, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def broken(tmp_path, pictures):
    """A file that begins like the picture it is named for, and ends too soon."""
    path = tmp_path / "broken.png"
    path.write_bytes((pictures / "b.png").read_bytes()[:200])
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "made" / "out"
