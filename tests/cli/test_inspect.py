"""`spitgraph inspect` writes a page for each image, whole or none, and says what is wrong."""

import json
import re

import pytest
import torch

from helpers.commands import is_one_line, written
from helpers.models import TINY
from spitgraph import (
    SuperpixelTokenizer,
    VoronoiTokenizer,
    create_model,
    explain,
    model_from_weights,
    save_weights,
)
from spitgraph.cli.errors import DONE, NOTHING_DONE, SOME_FAILED
from spitgraph.inspection.page import page_of


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    save_weights(create_model("spit_tiny_16", **TINY, num_tokens=9), path)
    return path


def about(path):
    text = path.read_text(encoding="utf8")
    return json.loads(re.search(r'id="about">(.*?)</script>', text, re.S)[1])


def test_one_page(run, draw, out):
    picture = draw("a.png")
    status, text, errors = run("inspect", picture, "-o", out / "page.html", "--num-tokens", 9)
    assert (status, errors) == (DONE, "")
    assert text == f"1 of 1 image shown into {out / 'page.html'}\n"
    assert written(out) == ["page.html"]
    tokens = SuperpixelTokenizer(num_tokens=9)(picture)
    expected = page_of(tokens, image=picture, names=["superpixel --num-tokens 9"])
    assert (out / "page.html").read_text(encoding="utf8") == expected


def test_pages_of_a_folder_and_a_bad_file_among_them(run, pictures, broken, out):
    status, _, errors = run("inspect", pictures, broken, "-o", out, "--no-vectors")
    assert status == SOME_FAILED and is_one_line(errors) and "broken.png" in errors
    assert written(out) == ["a.html", "b.html", "c.html"]
    assert about(out / "a.html")["title"] == "a.PNG"


def test_tokenizers_beside_each_other(run, draw, out):
    picture = draw("a.png")
    options = ["--beside", "voronoi --num-tokens 5 --seed 3", "--beside", "patch --patch-size 4"]
    status, *_ = run("inspect", picture, "-o", out / "a.html", *options, "--title", "<b>", "--mask")
    assert status == DONE
    told = about(out / "a.html")
    names = ["superpixel", "voronoi --num-tokens 5 --seed 3", "patch --patch-size 4"]
    assert [view["name"] for view in told["views"]] == names
    assert [view["levels"][-1]["count"] for view in told["views"]][1:] == [5, 9]
    assert told["title"] == "<b>" and told["masks"]["names"] == ["mask"]


def test_models_show_their_tokens_and_what_explains_them(run, draw, out, weights):
    picture = draw("a.png")
    arguments = [picture, "-o", out / "a.html", "--model", weights, "--beside", "voronoi"]
    options = ["--explain", "rollout", "--explain", "input_gradient", "--target", 1, "--mask"]
    assert run("inspect", *arguments, "--beside", "patch", *options)[0] == DONE
    told = about(out / "a.html")
    assert [view["name"] for view in told["views"]] == ["tiny", "voronoi", "patch"]
    assert [scores["name"] for scores in told["views"][0]["scores"]] == [
        "rollout",
        "input-gradient",
    ]
    rollout = explain.rollout(model_from_weights(weights).eval(), picture, 1)
    high = told["views"][0]["scores"][0]["high"]
    assert high == pytest.approx(float(rollout.tokens.max()), rel=1e-5)


def test_voronoi_models_draw_the_same_cells_again(run, draw, out, tmp_path):
    weights = tmp_path / "cells.safetensors"
    save_weights(create_model("rvit_tiny_16", **TINY, num_tokens=9), weights)
    picture = draw("a.png")
    pages = []
    for name in ("a.html", "b.html"):
        assert run("inspect", picture, "-o", out / name, "--model", weights)[0] == DONE
        pages.append((out / name).read_bytes())
    assert pages[0] == pages[1]
    seeded = VoronoiTokenizer(9, generator=torch.Generator().manual_seed(0))(picture)
    assert about(out / "a.html")["views"][0]["levels"][-1]["count"] == seeded.num_nodes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--explain", "rollout"], "--explain goes with --model"),
        (["--target", 3], "--target goes with --model"),
        (["--beside", "circles"], "--beside: argument --tokenizer: invalid choice: 'circles'"),
        (["--beside", "patch --num-tokens 3"], "--num-tokens does not go with --tokenizer patch"),
        (["--beside", "patch 'x"], "--beside: No closing quotation"),
        (["--beside", "patch"] * 4, "--beside may be given three times, got 4"),
        (["--levels", 2, "--num-tokens", 3], "--levels and --num-tokens exclude each other"),
    ],
)
def test_options_that_do_not_go_together(run, draw, out, options, message):
    status, _, errors = run("inspect", draw("a.png"), "-o", out / "a.html", *options)
    assert status == NOTHING_DONE and message in errors and is_one_line(errors)
    assert written(out.parent) == []


def test_the_tokens_of_a_model_are_its_own(run, draw, out, weights):
    arguments = [draw("a.png"), "-o", out / "a.html", "--model", weights]
    for options in (["--num-tokens", 3], ["--tokenizer", "patch"]):
        status, _, errors = run("inspect", *arguments, *options)
        assert status == NOTHING_DONE and "with --model, the tokens are its own" in errors
    status, _, errors = run("inspect", *arguments, "--explain", "rollout", "--target", 99)
    assert status == NOTHING_DONE and "--target 99 is not in 0 …" in errors


def test_places_that_are_no_page(run, pictures, draw, out):
    status, _, errors = run("inspect", pictures, "-o", out / "page.html")
    assert status == NOTHING_DONE and "several images: name a folder" in errors
    picture = draw("a.html")  # named so, and an image
    status, _, errors = run("inspect", picture, "-o", picture)
    assert status == NOTHING_DONE and "would overwrite the image" in errors
    assert run("inspect", draw("b.png"), "-o", picture.parent / "other")[0] == DONE
    assert written(picture.parent / "other") == ["b.html"]
