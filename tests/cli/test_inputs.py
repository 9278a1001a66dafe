"""What cannot be read is told in a line with its path; what can be read is done."""

import os
import pickle
import socket
import stat

import pytest

from helpers.commands import is_one_line, written
from spitgraph import VoronoiTokenizer
from spitgraph.cli.errors import DONE, NOTHING_DONE, SOME_FAILED
from spitgraph.cli.inputs import image_files
from spitgraph.cli.streams import printable


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(path.parent)  # a socket's path may not be long
        listener.bind(path.name)


#: What may stand at a path in place of a picture or a graph.
BAD = {
    "nothing": lambda path: None,
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "a looping link": lambda path: path.symlink_to(path.name),
    "a pipe": os.mkfifo,
    "a socket": make_socket,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a file of nothing": lambda path: path.touch(),
    "a large file of nothing": lambda path: (path.touch(), os.truncate(path, 10 * 2**30)),
}


@pytest.fixture
def bad(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def bad(kind, name):
        BAD[kind](tmp_path / name)
        return tmp_path / name

    return bad


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_told_and_others_are_done(run, draw, bad, out, kind):
    path = bad(kind, "bad.png")
    status, text, errors = run("tokenize", path, draw("good.png"), "-o", out)
    assert status == SOME_FAILED and text.startswith("1 of 2")
    assert is_one_line(errors) and errors.count(str(path)) == 1
    assert written(out) == ["good.pt"]
    status, text, errors = run("info", path, out / "good.pt")
    assert status == NOTHING_DONE and text.startswith(str(out))
    assert is_one_line(errors) and errors.count(str(path)) == 1 and len(errors) < 300


@pytest.mark.parametrize("name", ["n" * 300, "x" * 5000, "nul\0", "bad.png/below"])
def test_a_name_that_no_file_has_is_told(run, draw, out, name):
    path = f"{draw('bad.png').parent}/{name}"
    status, _, errors = run("tokenize", path, draw("good.png"), "-o", out)
    assert status == SOME_FAILED and is_one_line(errors) and printable(name)[:8] in errors
    assert run("tokenize", path, "-o", out)[0] == NOTHING_DONE
    status, text, errors = run("info", path)
    assert (status, text) == (NOTHING_DONE, "") and is_one_line(errors)


def test_a_folder_has_no_graph(run, tmp_path):
    status, _, errors = run("info", tmp_path)
    assert status == NOTHING_DONE and is_one_line(errors) and "it is a folder" in errors


def test_links_that_lead_nowhere_count_among_the_images_of_a_folder(run, pictures, out):
    (pictures / "lost.png").symlink_to("nowhere")
    os.mkfifo(pictures / "pipe.png")
    (pictures / "folder.png").mkdir()
    status, text, errors = run("tokenize", pictures, "-o", out)
    assert status == SOME_FAILED and text.startswith("3 of 4")
    assert is_one_line(errors) and "lost.png" in errors


def test_an_image_that_vanishes_after_it_was_listed_is_told(run, pictures, out, monkeypatch):
    tokenize = VoronoiTokenizer.forward

    def forward(self, image):
        (pictures / "b.png").unlink(missing_ok=True)
        return tokenize(self, image)

    monkeypatch.setattr(VoronoiTokenizer, "forward", forward)
    status, _, errors = run("tokenize", pictures, "-o", out, "--tokenizer", "voronoi")
    assert status == SOME_FAILED and is_one_line(errors) and str(pictures / "b.png") in errors
    assert written(out) == ["a.pt", "c.pt"]


def test_a_folder_that_cannot_be_listed_is_told(run, pictures, draw, out, monkeypatch):
    locked = pictures / "inner"
    listdir = os.listdir

    def refused(path):
        if os.fspath(path) == os.fspath(locked):
            raise PermissionError(13, "Permission denied", str(path))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refused)
    status, text, errors = run("tokenize", locked, pictures, "-o", out)
    assert status == SOME_FAILED and text.startswith("3 of 4")
    assert is_one_line(errors) and str(locked) in errors and "Permission denied" in errors
    assert run("tokenize", locked, "-o", out)[0] == NOTHING_DONE


def test_where_every_image_fails_nothing_is_done(run, broken, out):
    status, text, errors = run("tokenize", broken, broken.with_name("no.png"), "-o", out)
    assert status == NOTHING_DONE and text.startswith("0 of 2")
    assert errors.count("\n") == 2 and not out.parent.exists()


@pytest.mark.parametrize("arguments", [["tokenize", "", "-o", "x"], ["tokenize", "a", "-o", ""]])
def test_an_empty_path_is_not_the_current_folder(run, pictures, monkeypatch, arguments):
    monkeypatch.chdir(pictures)
    status, _, errors = run(*arguments)
    assert status == NOTHING_DONE and is_one_line(errors) and "empty" in errors
    assert run("info", "")[0] == NOTHING_DONE


def test_names_may_begin_like_options(run, draw, tmp_path, monkeypatch):
    draw("-x.png"), draw("--features.png"), draw("-5")
    monkeypatch.chdir(tmp_path)
    arguments = ["-o", "out", "--", "-x.png", "--features.png", "-5"]
    assert run("tokenize", *arguments)[0] == DONE
    assert written(tmp_path / "out") == ["--features.pt", "-5.pt", "-x.pt"]
    assert run("info", "--", "out/-x.pt")[0] == run("info", "./out/-x.pt")[0] == DONE


def test_a_folder_may_hold_thousands(tmp_path):
    for number in range(1000):
        (tmp_path / f"{number}.png").touch()
    assert len(image_files([tmp_path, tmp_path])[0]) == 2000


def test_modes_are_those_of_new_files(run, draw, out):
    before = os.umask(0o027)
    try:
        assert run("tokenize", draw("x.png"), "-o", out, "--overlay")[0] == DONE
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()}
    assert modes == {"x.pt": 0o640, "x-overlay.png": 0o640}


# ---- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [2**63, -(2**63), 10**30, 10**200, "9" * 5000, "1e3", "", "٣x"])
@pytest.mark.parametrize("option", ["--num-tokens", "--levels", "--patch-size", "--seed", "--bins"])
def test_numbers_beyond_64_bits_are_refused(run, draw, out, option, number):
    status, _, errors = run("tokenize", "x.png", "-o", out, f"{option}={number}")
    assert status == NOTHING_DONE and is_one_line(errors) and len(errors) < 200
    assert run("models", f"--tokens={number}")[0] == NOTHING_DONE


@pytest.mark.parametrize(
    "options",
    [
        f"--num-tokens {2**63 - 1}",
        f"--levels {2**63 - 1}",
        f"--tokenizer voronoi --num-tokens {2**63 - 1}",
        f"--tokenizer voronoi --num-tokens {2**20 + 1}",
        f"--features --bins {2**63 - 1}",
        f"--features --bins {2**28}",
    ],
)
def test_counts_that_nothing_can_hold_are_refused_in_words_of_ours(run, draw, out, options):
    status, text, errors = run("tokenize", draw("x.png"), "-o", out, *options.split())
    assert (status, text) == (NOTHING_DONE, "")
    assert is_one_line(errors) and "enforce" not in errors and len(errors) < 200
    assert not out.parent.exists()


def test_a_patch_may_be_larger_than_any_image(run, draw, out):
    options = ["--tokenizer", "patch", "--patch-size", 2**63 - 1]
    assert run("tokenize", draw("x.png"), "-o", out, *options)[0] == DONE


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", pickle.dumps({}), b"PK\x05\x06\0\0"])
def test_what_torch_did_not_write_is_told_in_words_of_ours(run, tmp_path, content):
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    status, _, errors = run("info", path)
    assert status == NOTHING_DONE and is_one_line(errors)
    assert errors.startswith(f"spitgraph: {path}: no token graph") and len(errors) < 250
