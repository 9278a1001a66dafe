"""The example trains a model that can be read back."""

import runpy
import sys

from helpers.labelled import npz_folder
from helpers.places import REPOSITORY
from spitgraph import PatchTokenizer, model_from_weights

EXAMPLE = REPOSITORY / "examples" / "train.py"


def test_it_trains(tmp_path, monkeypatch, capsys):
    data, out = npz_folder(tmp_path), tmp_path / "run"
    arguments = [data, "-o", out, "--tokenizer", "patch", "--num-tokens", 16, "--epochs", 1]
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), *map(str, arguments)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert "on 9 pictures" in capsys.readouterr().out
    model = model_from_weights(out / "weights.safetensors")
    assert isinstance(model.tokenizer, PatchTokenizer) and model.tokenizer.patch_size == 2
