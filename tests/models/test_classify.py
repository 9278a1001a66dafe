"""examples/classify.py names what it read, and says so where it read nothing."""

import runpy
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from spitgraph.models import create_model, save_weights

EXAMPLE = Path(__file__).parents[2] / "examples" / "classify.py"
TINY = {"embed_dim": 64, "depth": 1, "bins": 4, "num_classes": 3}


@pytest.fixture
def classify(tmp_path, monkeypatch, capsys):
    """Runs the example on a small picture: its exit status, and what it printed."""
    Image.new("RGB", (40, 30), (200, 30, 30)).save(tmp_path / "red.png")

    def run(*args):
        arguments = [str(arg) for arg in args]
        monkeypatch.setattr(sys, "argv", ["classify.py", str(tmp_path / "red.png"), *arguments])
        status = 0
        try:
            runpy.run_path(str(EXAMPLE), run_name="__main__")
        except SystemExit as exit:
            status = exit.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def weights(tmp_path):
    model = create_model("spit_tiny_16", image_size=24, **TINY)
    with torch.no_grad():  # the second class for sure
        model.head.weight.zero_()
        model.head.bias.copy_(torch.tensor([0.0, 50.0, 1.0]))
    save_weights(model, tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def test_the_likeliest_classes_come_first(classify, weights, tmp_path):
    (tmp_path / "labels.txt").write_text("cat\ndog\nowl\n")
    status, out, _ = classify("--weights", weights, "--labels", tmp_path / "labels.txt")
    assert status == 0
    assert "red.png: 32×24 pixels" in out  # the size that the file says, the shorter side
    assert "random" not in out
    first, second, third = out.splitlines()[-3:]
    assert first.split() == ["100.0", "%", "█" * 24, "dog"]
    assert (second.split()[-1], third.split()[-1]) == ("owl", "cat")


def test_the_authors_files_are_read(classify, tmp_path, weights):
    torch.save(create_model("vit_tiny_16", **TINY).state_dict(), tmp_path / "plain.pth")
    status, out, _ = classify("--weights", tmp_path / "plain.pth", "--model", "vit_tiny_16")
    assert status == 0
    assert "class 2" in out


def test_random_weights_are_said_to_be_random(classify):
    status, out, _ = classify("--model", "vit_tiny_16", "--size", "32")
    assert status == 0
    assert "random, and the classes mean nothing" in out
    assert "43×32 pixels, 6 tokens" in out


def test_what_cannot_be_read_is_said_in_a_line(classify, weights, tmp_path):
    (tmp_path / "labels.txt").write_text("cat\n")
    for arguments, message in (
        (("--weights", tmp_path / "none.pth"), "none.pth"),
        (("--weights", weights, "--labels", tmp_path / "labels.txt"), "names 1 classes"),
        ((tmp_path / "labels.txt", "--weights", weights), "labels.txt"),
    ):
        status, _, err = classify(*arguments)
        assert status == 2
        assert message in err
        assert err.count("\n") == 1
