"""`spitgraph train` trains, goes on, and says what is wrong before it begins."""

import json

import pytest

from helpers.commands import is_one_line
from helpers.labelled import npz_folder, picture_folder
from helpers.training import same_weights
from spitgraph.cli.errors import DONE, NOTHING_DONE

SMALL = (
    *("--num-tokens", 6, "--bins", 4, "--width", 16, "--depth", 1, "--heads", 2),
    *("--batch-size", 8, "--workers", 0, "--accelerator", "cpu", "--quiet"),
)


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    return npz_folder(tmp_path / "data")


def test_it_trains_and_goes_on(run, data, tmp_path):
    whole, longer, other = (tmp_path / name for name in ("whole", "longer", "other"))
    status, text, errors = run("train", data, "-o", whole, "--epochs", 2, *SMALL)
    assert (status, errors) == (DONE, "")
    assert text.startswith("accuracy 0.") and "after epoch 2" in text and str(whole) in text
    run("train", data, "-o", longer, "--epochs", 1, *SMALL)
    status, _, errors = run("train", "--resume", longer, "--epochs", 2)
    assert (status, errors) == (DONE, "") and "epoch 2" in text
    rows = (longer / "metrics.csv").read_text().splitlines()
    assert len(rows) == 3, "a header and two epochs"
    run("train", data, "-o", other, "--epochs", 2, *SMALL, "--no-flip")
    options = json.loads((other / "options.json").read_text())
    assert options["flip"] is False and options["width"] == 16
    assert not same_weights(whole / "weights.safetensors", other / "weights.safetensors")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "expected DATA"),
        (("{data}",), "-o RUN is missing"),
        (("{data}", "-o", "{out}", "--resume", "{out}"), "expected DATA"),
        (("{data}/none", "-o", "{out}"), "none"),
        (("{data}", "-o", "{out}", "--weights", "{data}/test.npz"), "cannot read weights"),
        (("{data}", "-o", "{out}", "--batch-size", 0), "batch_size must be at least 1"),
        (("--resume", "{out}"), "holds no run"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run, data, tmp_path, arguments, said):
    places = {"data": data, "out": tmp_path / "run"}
    told = [str(part).format(**places) for part in arguments]
    status, text, errors = run("train", *told)
    assert (status, text) == (NOTHING_DONE, "")
    assert is_one_line(errors) and said in errors
    assert not (tmp_path / "run").exists()


def test_a_broken_picture_is_named_once_and_left_out(run, tmp_path):
    data = picture_folder(tmp_path / "data")
    broken = data / "train" / "cat" / "0.png"
    broken.write_bytes(b"no picture")
    status, text, errors = run("train", data, "-o", tmp_path / "run", "--epochs", 3, *SMALL)
    assert status == DONE and text.endswith("1 pictures could not be read\n")
    assert errors == f"spitgraph: cannot be read, and is left out: {broken}\n"
