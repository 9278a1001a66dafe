"""`spitgraph vectorize` writes what Python writes, whole or not at all, and says what is wrong."""

from xml.etree import ElementTree

import pytest

from helpers.commands import is_one_line, written
from helpers.outlines import SVG
from helpers.pictures import seeded
from spitgraph import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer, inspection
from spitgraph.cli import vectorize
from spitgraph.cli.errors import DONE, NOTHING_DONE, SOME_FAILED


@pytest.mark.parametrize(
    "options, tokenizer, arguments",
    [
        ("", SuperpixelTokenizer(), {}),
        ("--num-tokens 5 --smooth", SuperpixelTokenizer(num_tokens=5), {"smooth": True}),
        ("--levels 3 --level 2 --fill none", SuperpixelTokenizer(3), {"level": 2, "fill": "none"}),
        ("--tokenizer patch --patch-size 3 --fill size", PatchTokenizer(3), {"fill": "size"}),
        (
            "--tokenizer voronoi --num-tokens 6 --seed 2 --simplify 1.5",
            None,
            {"simplify": 1.5},
        ),
    ],
)
def test_a_file_is_what_python_writes(run, draw, out, options, tokenizer, arguments):
    if "simplify" in arguments:
        pytest.importorskip("shapely")
    picture = draw("a.png")
    place = out / "b.SVG"
    status, text, errors = run("vectorize", picture, "-o", place, *options.split())
    assert (status, errors) == (DONE, "") and "1 of 1 image vectorized" in text
    tokenizer = tokenizer or VoronoiTokenizer(6, generator=seeded(2))
    expected = inspection.svg(tokenizer(picture), title="a.png", **arguments)
    assert place.read_text("utf8") == expected


@pytest.mark.parametrize("name", ["b.topojson", "b.json"])
def test_what_the_file_ends_in_tells_its_format(run, draw, out, name):
    picture = draw("a.png")
    assert run("vectorize", picture, "-o", out / name, "--level", 2, "--quiet") == (DONE, "", "")
    expected = inspection.topojson(SuperpixelTokenizer()(picture), level=2)
    assert (out / name).read_text("utf8") == expected


@pytest.mark.parametrize("options, end", [([], ".svg"), (["--format", "topojson"], ".topojson")])
def test_several_images_go_into_a_folder(run, pictures, out, options, end):
    status, text, _ = run("vectorize", pictures, "-o", out, *options)
    assert status == DONE and text == f"3 of 3 images vectorized into {out}\n"
    assert written(out) == [f"{name}{end}" for name in "abc"]


def test_a_folder_may_be_called_like_a_file(run, draw, tmp_path):
    folder = tmp_path / "x.svg"
    folder.mkdir()
    assert run("vectorize", draw("a.png"), "-o", folder)[0] == DONE
    assert written(folder) == ["a.svg"]


@pytest.mark.parametrize("name", ["a<b>&'c.png", 'x"y.png', "é😀.png", "[CDATA[]]>.png"])
def test_any_name_makes_valid_xml(run, draw, out, name):
    assert run("vectorize", draw(name), "-o", out / "a.svg")[0] == DONE
    root = ElementTree.parse(out / "a.svg").getroot()
    assert root.find(f"{SVG}title").text == name


def test_one_bad_file_among_many_is_reported_and_skipped(run, pictures, broken, out):
    status, text, errors = run("vectorize", broken, pictures, "-o", out)
    assert status == SOME_FAILED and is_one_line(errors) and errors.count(str(broken)) == 1
    assert text == f"3 of 4 images vectorized into {out}\n"
    assert written(out) == ["a.svg", "b.svg", "c.svg"]


def test_the_only_file_being_bad_is_an_error(run, broken, out):
    status, text, errors = run("vectorize", broken, "-o", out / "a.svg")
    assert (status, text) == (NOTHING_DONE, "") and is_one_line(errors) and str(broken) in errors
    assert not out.exists()


@pytest.mark.parametrize(
    "options, message",
    [
        ("--simplify -1", "--simplify must be at least 0 pixels, got -1"),
        ("--simplify nan", "--simplify must be at least 0 pixels, got nan"),
        ("--format topojson", "is not what a file in --format topojson is called"),
        ("--fill red", "invalid choice: 'red'"),
        ("--levels 2 --num-tokens 3", "exclude each other"),
        ("--patch-size 8", "--patch-size does not go with --tokenizer superpixel"),
        ("--level 9", "level must be in 1 … 4, got 9"),
    ],
)
def test_bad_options_are_refused(run, draw, out, options, message):
    status, text, errors = run("vectorize", draw("a.png"), "-o", out / "a.svg", *options.split())
    assert (status, text) == (NOTHING_DONE, "") and is_one_line(errors) and message in errors
    assert not out.exists()


@pytest.mark.parametrize("option", [["--smooth"], ["--fill", "none"]])
def test_what_topojson_has_not_is_refused(run, draw, out, option):
    status, _, errors = run("vectorize", draw("a.png"), "-o", out / "a.json", *option)
    assert status == NOTHING_DONE and f"{option[0]} goes with --format svg" in errors
    assert not out.exists()


def test_several_images_do_not_fit_into_a_file(run, pictures, out):
    status, _, errors = run("vectorize", pictures, "-o", out / "a.svg")
    assert status == NOTHING_DONE and is_one_line(errors) and "name a folder" in errors


def test_images_are_never_overwritten(run, draw):
    picture = draw("a.svg")  # a PNG in truth, and read as one
    before = picture.read_bytes()
    status, _, errors = run("vectorize", picture, "-o", picture)
    assert status == NOTHING_DONE and "would overwrite the image" in errors
    assert picture.read_bytes() == before


def test_a_missing_extra_is_named(run, draw, out, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "shapely", None)
    status, _, errors = run("vectorize", draw("a.png"), "-o", out / "a.svg", "--simplify", 1)
    assert status == NOTHING_DONE and 'pip install "spitgraph[vector]"' in errors
    assert run("vectorize", draw("a.png"), "-o", out / "a.svg")[0] == DONE


def test_the_help_says_what_there_is(run):
    _, text, _ = run("vectorize", "--help")
    assert all(name in text for name in (*vectorize.FORMATS, *vectorize.FILLS))
