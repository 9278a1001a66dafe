"""`spitgraph explain`: scores and drawings of image files, as Python makes them."""

import csv

import pytest
import torch
from PIL import Image

from helpers.commands import contents, is_one_line, written
from helpers.models import TINY, randomised
from helpers.pictures import seeded
from spitgraph import create_model, explain, save_weights
from spitgraph.cli import explain as command
from spitgraph.cli.errors import DONE, NOTHING_DONE, SOME_FAILED


@pytest.fixture(scope="module")
def model():
    return randomised(create_model("spit_tiny_16", **TINY, levels=2)).eval()


@pytest.fixture
def weights(model, tmp_path):
    save_weights(model, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_every_method_of_python_is_there():
    ours = {name.replace("_", "-") for name in explain.__all__ if name in dir(explain)}
    assert command.METHODS.keys() <= ours


@pytest.mark.parametrize(
    "options, arguments",
    [
        ("", {}),
        ("--head-fusion max --residual 0.5 --target 2", {"head_fusion": "max", "residual": 0.5}),
        ("--method attention_flow", {}),
        ("--method input-gradient --explained probability", {"output": "probability"}),
        ("--method lime --samples 9 --seed 3", {"n_samples": 9, "generator": 3}),
        ("--method kernel-shap --samples 9 --regions slic", {"n_samples": 9, "regions": "slic"}),
    ],
)
def test_files_hold_what_python_makes(run, pictures, out, weights, model, options, arguments):
    path = pictures / "b.png"
    status, text, errors = run("explain", path, "--model", weights, "-o", out, *options.split())
    assert (status, text, errors) == (DONE, f"1 of 1 image explained into {out}\n", "")
    parsed = dict(zip(options.split()[::2], options.split()[1::2], strict=True))
    name = parsed.get("--method", "rollout").replace("_", "-")
    assert written(out) == [f"b-{name}.png", f"b-{name}.pt"]
    if "generator" in arguments:
        arguments = {**arguments, "generator": seeded(arguments["generator"])}
    target = int(parsed["--target"]) if "--target" in parsed else None
    expected = getattr(explain, name.replace("-", "_"))(model, path, target, **arguments)
    loaded = torch.load(out / f"b-{name}.pt", weights_only=True)
    assert torch.equal(loaded.tokens, expected.tokens) and torch.equal(loaded.map, expected.map)
    assert (loaded.target, loaded.method) == (expected.target, expected.method)
    with Image.open(out / f"b-{name}.png") as drawing:
        assert min(drawing.size) > 100


def test_scores_as_a_table(run, pictures, out, weights, model):
    path = pictures / "b.png"
    assert run("explain", path, "--model", weights, "-o", out, "--csv", "--quiet")[1:] == ("", "")
    assert written(out) == ["b-rollout.csv", "b-rollout.png"]
    with (out / "b-rollout.csv").open() as file:
        rows = [*csv.DictReader(file)]
    expected = explain.rollout(model, path)
    assert [float(row["score"]) for row in rows] == expected.tokens.tolist()
    assert sum(int(row["size"]) for row in rows) == expected.map.numel()


def test_images_may_be_resized_first(run, draw, out, weights):
    path = draw("wide.png", side=20)
    assert run("explain", path, "--model", weights, "-o", out, "--size", 7)[0] == DONE
    loaded = torch.load(out / "wide-rollout.pt", weights_only=True)
    assert loaded.map.shape == (7, 7)


def test_cells_are_drawn_from_the_seed(run, draw, tmp_path):
    made = randomised(create_model("rvit_tiny_16", **TINY, num_tokens=5))
    save_weights(made, tmp_path / "cells.safetensors")
    path, found = draw("a.png"), []
    for place, seed in (("one", 1), ("same", 1), ("other", 2)):
        arguments = ("--model", tmp_path / "cells.safetensors", "--seed", seed)
        assert run("explain", path, "-o", tmp_path / place, *arguments)[0] == DONE
        found.append(torch.load(tmp_path / place / "a-rollout.pt", weights_only=True))
    assert torch.equal(found[0].map, found[1].map)
    assert not torch.equal(found[0].map, found[2].map)


def test_a_bad_file_among_many_is_skipped(run, pictures, broken, out, weights):
    status, text, errors = run("explain", broken, pictures, "--model", weights, "-o", out)
    assert status == SOME_FAILED and text == f"3 of 4 images explained into {out}\n"
    assert is_one_line(errors) and "broken.png" in errors
    assert len(written(out)) == 6


@pytest.mark.parametrize(
    "options, message",
    [
        ("--target 5", "--target 5 is not in 0 … 4"),
        ("--target -1", "--target -1 is not in 0 … 4"),
        ("--samples 9", "--samples does not go with --method rollout"),
        ("--method lime --residual 0.2", "--residual does not go with --method lime"),
        ("--method lime --samples 1", "--samples must be at least 2, got 1"),
        ("--residual 2", "--residual 2 is not in 0 … 1"),
        ("--size 0", "--size must be at least 1, got 0"),
        ("--seed -1", "--seed -1 is not in"),
        ("--method guess", "invalid choice: 'guess'"),
    ],
)
def test_bad_options_are_refused(run, pictures, out, weights, options, message):
    status, text, errors = run("explain", pictures, "--model", weights, "-o", out, *options.split())
    assert (status, text) == (NOTHING_DONE, "")
    assert is_one_line(errors) and message in errors
    assert not out.exists()


def test_what_is_no_model_is_refused(run, pictures, out, tmp_path):
    (tmp_path / "none.safetensors").write_bytes(b"nothing")
    for path, message in (
        (tmp_path / "none.safetensors", "no model: cannot read weights"),
        (tmp_path / "missing.safetensors", "cannot read"),
        (tmp_path, "expected an ordinary file, it is a folder"),
    ):
        status, _, errors = run("explain", pictures / "b.png", "--model", path, "-o", out)
        assert status == NOTHING_DONE and is_one_line(errors) and message in errors
        assert not out.exists()


def test_neither_images_nor_the_model_are_replaced(run, draw, tmp_path, model):
    draw("a.png")
    draw("a-rollout.png")
    save_weights(model, tmp_path / "b-rollout.pt")
    draw("b.png")
    before = contents(tmp_path)
    for image in ("a.png", "b.png"):
        status, _, errors = run(
            *("explain", tmp_path / image, tmp_path / "a-rollout.png"),
            *("--model", tmp_path / "b-rollout.pt", "-o", tmp_path),
        )
        assert status == NOTHING_DONE and is_one_line(errors) and "would overwrite" in errors
    assert contents(tmp_path) == before
