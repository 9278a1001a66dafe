"""Every example is listed, and those without a test of their own run here on small pictures."""

import re
import runpy
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from helpers.places import REPOSITORY
from spitgraph import SuperpixelTokenizer, model_from_weights

EXAMPLES = REPOSITORY / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, unchecked):
    """Runs an example on a picture of 48×32 pixels: its status, its lines, its errors."""
    picture = Image.open(EXAMPLES / "pictures" / "coffee.jpg").resize((48, 32))
    picture.save(tmp_path / "small.png")
    monkeypatch.chdir(tmp_path)

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        status = 0
        try:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return status, captured.out.splitlines(), captured.err

    return run


def test_every_example_is_listed_and_tested():
    listed = re.findall(r"\]\((\w+\.py)\)", (EXAMPLES / "README.md").read_text(encoding="utf8"))
    assert sorted(listed) == sorted(path.name for path in EXAMPLES.glob("*.py"))
    tests = (path.read_text(encoding="utf8") for path in (REPOSITORY / "tests").rglob("test_*.py"))
    quoted = set(re.findall(r'"(?:examples/)?(\w+\.py)"', "".join(tests)))
    assert set(listed) <= quoted


def test_inspect_page(run):
    status, lines, _ = run("inspect_page.py", "small.png", "-o", "page.html", "--num-tokens", 12)
    assert status == 0 and lines[0].startswith("page.html: ")
    page = Path("page.html").read_text(encoding="utf8")
    assert page.startswith("<!doctype html>") and "Voronoi cells" in page


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_no_example_takes_the_place_of_a_module_of_python(name):
    """Python looks beside a script first: an `examples/tokenize.py` would break every other."""
    assert name.removesuffix(".py") not in sys.stdlib_module_names


def test_tokenize_picture(run):
    status, lines, _ = run("tokenize_picture.py", "small.png", "-k", 24, "-o", "graph.pt")
    assert status == 0
    assert lines[0].startswith("48×32 pixels, 24 tokens, ") and lines[-1] == "graph.pt: 24 tokens"
    tokens, expected = torch.load("graph.pt"), SuperpixelTokenizer(num_tokens=24)("small.png")
    assert torch.equal(tokens.cluster, expected.cluster) and tokens.x.shape == (24, 1280)
    largest = int(expected.size.argmax())
    assert f"token {largest}: {expected.size[largest]} pixels" in lines[2]


def test_tokenize_picture_complains_in_a_line(run):
    status, _, errors = run("tokenize_picture.py", "none.png")
    assert status == 2 and "none.png" in errors and errors.count("\n") == 1


def test_own_partition_of_slic(run):
    pytest.importorskip("skimage")
    status, lines, _ = run("own_partition.py", "small.png", "--segments", 12, "-o", "drawn.png")
    assert status == 0 and lines[1].startswith("refined: ")
    assert Image.open("drawn.png").size == (2 * 96 + 8, 64)


def test_own_partition_of_masks(run):
    """Of two masks, one within the other: the background, the large one, the small one on it."""
    for name, box in (("large", (4, 4, 40, 28)), ("inside", (10, 10, 20, 20))):
        mask = Image.new("L", (48, 32))
        mask.paste(255, box)
        mask.save(f"{name}.png")
    masks = ("--masks", "inside.png", "large.png")
    status, lines, _ = run("own_partition.py", "small.png", *masks, "-o", "drawn.png")
    assert status == 0 and lines[0] == "3 regions, 2 borders"
    from_masks = runpy.run_path(str(EXAMPLES / "own_partition.py"))["from_masks"]
    labels = from_masks(["inside.png", "large.png"])
    assert labels[0, 0] == 0 and labels[5, 5] == 1 and labels[12, 12] == 2
    assert [int((labels == label).sum()) for label in range(3)] == [672, 764, 100]


def test_own_partition_refuses_masks_of_other_sizes(run):
    Image.new("L", (48, 30), 255).save("other.png")
    status, _, errors = run("own_partition.py", "small.png", "--masks", "other.png")
    assert status == 2 and errors.count("\n") == 1


def test_retrofit_with_random_weights(run):
    out = ("--num-tokens", 12, "-o", "model.safetensors")
    example = runpy.run_path(str(EXAMPLES / "retrofit.py"))
    torch.save({"state_dict": example["random_state"]()}, "vit.pth")
    status, lines, _ = run("retrofit.py", "vit.pth", "small.png", *out)
    assert status == 0
    assert lines[-2].startswith("small.png: 6 patches, 12 superpixels, cosine")
    assert model_from_weights("model.safetensors").tokenize("small.png").num_nodes == 12


def test_retrofit_refuses_what_is_no_vit(run):
    torch.save({"weight": torch.zeros(3)}, "other.pth")
    status, _, errors = run("retrofit.py", "other.pth", "small.png")
    assert status == 2 and errors.count("\n") == 1


@pytest.mark.slow
def test_explain_draws_all_methods(run):
    Image.open("small.png").rotate(180).save("other.png")
    methods = ("--methods", "attention", "input_gradient", "--tokenizer", "superpixel")
    status, lines, errors = run("explain.py", "small.png", "other.png", "--size", 32, *methods)
    assert status == 0, errors
    assert [path.name for path in Path("out").iterdir()] == ["explained-superpixel.jpg"]


@pytest.mark.slow
def test_segment_draws_masks(run):
    example = runpy.run_path(str(EXAMPLES / "retrofit.py"))
    save_file(example["random_state"](), "vit.safetensors")
    sizes = ("--long-side", 64, "--num-tokens", 20, "--parts", 2)
    status, lines, errors = run("segment.py", "vit.safetensors", "small.png", *sizes)
    assert status == 0, errors
    assert lines[0].startswith("small.png: 12 patches read in")
    width, height = Image.open("masks.jpg").size
    assert height == 260 and width == 4 * 390 + 3 * 8
