"""`spitgraph segment` writes the masks that Python finds, whole or none, and says what is wrong."""

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.commands import is_one_line, written
from helpers.models import TINY
from spitgraph import SuperpixelTokenizer, create_model, model_from_weights, save_weights, segment
from spitgraph.cli.errors import DONE, NOTHING_DONE, SOME_FAILED
from spitgraph.images import load_image


@pytest.fixture
def weights(tmp_path):
    """A small model of patches of 4 pixels."""
    torch.manual_seed(0)
    path = tmp_path / "weights.safetensors"
    save_weights(create_model("vit_tiny_16", **TINY), path)
    return path


def mask_at(path):
    image = Image.open(path)
    assert image.mode == "L" and set(np.unique(image)) <= {0, 255}
    return torch.from_numpy(np.array(image)) > 0


def masks_by_hand(weights, image, threshold, *, patches=False):
    """As the command finds it, step by step."""
    model = model_from_weights(weights).eval()
    with torch.inference_mode():
        grid = segment.grid_features(model, image)
    if patches:
        tokens = segment.grid_tokens(grid, image)
        features = grid.flatten(1).T
        return segment.token_cut(features, tokens, threshold=threshold, by_size=True)
    tokens = SuperpixelTokenizer(num_tokens=9, quality="fine")(image)
    features = segment.pool_grid(grid, tokens)
    return segment.token_cut(features, tokens, threshold=threshold, by_size=True)


@pytest.mark.parametrize("patches", [False, True])
def test_masks_are_what_python_finds(run, pictures, out, weights, patches):
    paths = [pictures / name for name in ("c.png", "b.png")]
    options = ["--patches"] if patches else ["--num-tokens", 9]
    arguments = [*paths, "-o", out, "--model", weights, "--threshold", 0.9, *options]
    status, text, errors = run("segment", *arguments)
    assert (status, errors) == (DONE, "")
    assert text == f"2 of 2 images segmented into {out}\n"
    assert written(out) == ["b-mask.png", "c-mask.png"]
    for path in paths:
        expected = masks_by_hand(weights, load_image(path), 0.9, patches=patches)
        assert torch.equal(mask_at(out / f"{path.stem}-mask.png"), expected)


@pytest.mark.parametrize("refine", [[], ["--refine", "bilateral"], ["--refine", "guided"]])
def test_everything_of_a_folder_with_what_is_drawn(run, pictures, out, weights, refine):
    status, _, errors = run(
        "segment", pictures, "-o", out, "--model", weights, "--overlay", "--features", "keys",
        "--long-side", 24, *refine,
    )  # fmt: skip
    assert (status, errors) == (DONE, "")
    ends = ("-mask-overlay.png", "-mask.png")
    assert written(out) == [f"{name}{end}" for name in "abc" for end in ends]
    assert Image.open(out / "a-mask-overlay.png").size == (24, 20)  # twice that of the image


@pytest.mark.parametrize("name", ["spit_tiny_16", "rvit_tiny_16"])
def test_other_models_have_tokens_of_their_own(run, draw, out, tmp_path, name):
    weights = tmp_path / "own.safetensors"
    save_weights(create_model(name, **TINY, num_tokens=9), weights)
    picture = draw("a.png")
    arguments = [picture, "-o", out, "--model", weights, "--quiet"]
    assert run("segment", *arguments) == (DONE, "", "")
    assert mask_at(out / "a-mask.png").shape == (10, 10)
    for option in (["--num-tokens", 4], ["--patches"], ["--long-side", 20]):
        status, _, errors = run("segment", *arguments, *option)
        assert status == NOTHING_DONE and f"{option[0]} goes with models of patches" in errors


def test_bad_pictures_are_skipped(run, pictures, broken, out, weights):
    status, text, errors = run("segment", pictures, broken, "-o", out, "--model", weights)
    assert status == SOME_FAILED and is_one_line(errors) and str(broken) in errors
    assert text == f"3 of 4 images segmented into {out}\n"
    assert written(out) == ["a-mask.png", "b-mask.png", "c-mask.png"]
    status, text, errors = run("segment", broken, "-o", out / "none", "--model", weights)
    assert (status, text) == (NOTHING_DONE, "") and is_one_line(errors)
    assert not (out / "none").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        (["--threshold", 2], "--threshold 2 is not in -1 … 1"),
        (["--num-tokens", 0], "num_tokens must be at least 1"),
        (["--num-tokens", 5, "--patches"], "--patches and --num-tokens exclude each other"),
        (["--long-side", 0], "--long-side must be at least 1, got 0"),
        (["--refine", "crf"], "invalid choice: 'crf'"),
    ],
)
def test_bad_options_are_refused(run, draw, out, weights, options, message):
    picture = draw("a.png")
    status, text, errors = run("segment", picture, "-o", out, "--model", weights, *options)
    assert (status, text) == (NOTHING_DONE, "") and is_one_line(errors) and message in errors
    assert not out.exists()


def test_models_that_are_none_are_refused(run, draw, out, tmp_path):
    picture = draw("a.png")
    for path in (picture, tmp_path, tmp_path / "missing.safetensors"):
        status, text, errors = run("segment", picture, "-o", out, "--model", path)
        assert (status, text) == (NOTHING_DONE, "") and is_one_line(errors) and str(path) in errors
    assert not out.exists()


def test_without_a_model_colours_decide(run, out, tmp_path):
    image = np.full((24, 32, 3), (40, 120, 60), np.uint8)
    image[6:18, 9:21] = (220, 40, 30)
    Image.fromarray(image).save(tmp_path / "a.png")
    status, text, _ = run("segment", tmp_path / "a.png", "-o", out, "--num-tokens", 12)
    assert status == DONE and "without --model" in text
    mask = np.asarray(Image.open(out / "a-mask.png")) > 0
    assert mask[6:18, 9:21].all() and mask.sum() == 144
    for option in (["--features", "keys"], ["--patches"], ["--long-side", 64]):
        status, _, errors = run("segment", tmp_path / "a.png", "-o", out, *option)
        assert status == NOTHING_DONE and f"{option[0]} goes with" in errors


def test_no_picture_is_replaced(run, draw, weights):
    picture, mask = draw("a.png"), draw("a-mask.png")
    before = mask.read_bytes()
    status, _, errors = run("segment", picture, mask, "-o", mask.parent, "--model", weights)
    assert status == NOTHING_DONE and "would overwrite the image" in errors
    assert mask.read_bytes() == before
