"""Streams that are lost, full or narrow, and names that no terminal should be shown as they are."""

import errno
import io
import os
import sys

import pytest
import torch

import spitgraph
from helpers.commands import is_one_line, written
from spitgraph import PatchTokenizer
from spitgraph.cli import main
from spitgraph.cli.errors import DONE, NOTHING_DONE, READER_GONE, SOME_FAILED
from spitgraph.cli.streams import printable


class Failing(io.StringIO):
    """A stream whose writes fail."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def write(self, text):
        raise OSError(self.number, os.strerror(self.number))


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


#: Streams that take nothing, and what a command that only prints returns then.
LOST = {
    "none": (lambda: None, DONE),
    "closed": (closed, DONE),
    "full": (lambda: Failing(errno.ENOSPC), NOTHING_DONE),
    "broken": (lambda: Failing(errno.EIO), NOTHING_DONE),
    "unread": (lambda: Failing(errno.EPIPE), READER_GONE),
}


@pytest.fixture
def graph(tmp_path):
    path = tmp_path / "graph.pt"
    torch.save(PatchTokenizer(2)(torch.rand(3, 4, 4)), path)
    return path


def status_of(*args):
    try:
        return main([str(arg) for arg in args])
    except SystemExit as exit:
        return exit.code


@pytest.mark.parametrize("command", ["--help", "--version", "tokenize --help", "models", "info"])
@pytest.mark.parametrize("lost", LOST)
def test_without_stdout_one_line_says_so_at_most(capsys, monkeypatch, graph, command, lost):
    make, status = LOST[lost]
    monkeypatch.setattr(sys, "stdout", make())
    args = [*command.split(), graph] if command == "info" else command.split()
    assert status_of(*args) == status
    errors = capsys.readouterr().err
    assert is_one_line(errors) and "stdout" in errors if status == NOTHING_DONE else errors == ""


def test_info_stops_once_nobody_reads(monkeypatch, graph):
    opened = []
    load = torch.load
    monkeypatch.setattr(torch, "load", lambda *args, **how: opened.append(1) or load(*args, **how))
    monkeypatch.setattr(sys, "stdout", Failing(errno.EPIPE))
    assert status_of("info", graph, graph, graph) == READER_GONE
    assert len(opened) == 1


@pytest.mark.parametrize("lost", LOST)
def test_images_are_tokenized_without_stdout(monkeypatch, pictures, out, lost):
    make, status = LOST[lost]
    monkeypatch.setattr(sys, "stdout", make())
    expected = DONE if status == READER_GONE else status  # the work is not what nobody reads
    assert status_of("tokenize", pictures, "-o", out) == expected
    assert written(out) == ["a.pt", "b.pt", "c.pt"]


@pytest.mark.parametrize("lost", LOST)
def test_images_are_tokenized_without_stderr(monkeypatch, pictures, broken, out, lost):
    monkeypatch.setattr(sys, "stderr", LOST[lost][0]())
    assert status_of("tokenize", broken, pictures, "-o", out) == SOME_FAILED
    assert written(out) == ["a.pt", "b.pt", "c.pt"]
    assert status_of("tokenize", broken, "-o", out) == NOTHING_DONE
    assert status_of("paint") == NOTHING_DONE
    assert status_of("info", broken) == NOTHING_DONE


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-16"])
def test_a_narrow_encoding_is_no_obstacle_and_stays_as_it_is(monkeypatch, draw, out, encoding):
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    assert status_of("tokenize", "--help") == DONE
    assert status_of("tokenize", "λ\udcff.png", "-o", out) == NOTHING_DONE
    assert [stream.errors for stream in streams] == ["strict"] * 2
    texts = [stream.buffer.getvalue().decode(encoding) for stream in streams]
    assert "λ" in texts[0] or "\\u03bb" in texts[0]
    assert "\\udcff.png" in texts[1]


def test_the_bytes_on_stdout_are_those_of_the_text(run):
    assert run("--version") == (DONE, f"spitgraph {spitgraph.__version__}\n", "")


def test_anything_that_can_be_written_to_is_a_stream(monkeypatch, pictures, broken, out):
    class Kept(list):
        write = list.append

        def flush(self):
            pass

    texts, errors = Kept(), Kept()
    monkeypatch.setattr(sys, "stdout", texts)
    monkeypatch.setattr(sys, "stderr", errors)
    assert status_of("tokenize", broken, pictures, "-o", out) == SOME_FAILED
    assert is_one_line("".join(texts)) and is_one_line("".join(errors))


# ---- names ---------------------------------------------------------------------------------------

#: Escape sequences, another line, a carriage return, text that runs backwards, no text at all.
ODD = ["a\x1b[31mb", "a\nb", "a\rb", "a\x9bb", "a\u202eb", "a\u2028b", "a\udcffb", "a\x7fb", "a  b"]


@pytest.mark.parametrize("name", ODD)
def test_names_are_shown_with_escapes(run, draw, tmp_path, name):
    missing = f"{tmp_path}/{name}.png"
    for command in (["tokenize", missing, "-o", tmp_path / "out"], ["info", missing]):
        status, _, errors = run(*command)
        assert status == NOTHING_DONE and is_one_line(errors)
        assert printable(name) in errors
    assert is_one_line(run("tokenize", missing, "-o", "x", f"--{name}")[2])
    out = tmp_path / f"out{name}"
    status, text, errors = run("tokenize", draw(f"{name}.png"), "-o", out)
    assert (status, errors) == (DONE, "") and is_one_line(text) and printable(name) in text
    status, text, errors = run("info", out / f"{name}.pt")
    assert (status, errors) == (DONE, "")
    assert all(line.isprintable() for line in text.split("\n"))
    assert printable(name) in text.split("\n")[0]


def test_attributes_are_shown_with_escapes(run, tmp_path):
    tokens = PatchTokenizer(2)(torch.rand(3, 4, 4))
    tokens["a\x1b[2J"] = torch.zeros(4)
    torch.save(tokens, tmp_path / "a.pt")
    assert "\x1b" not in run("info", tmp_path / "a.pt")[1]


def test_a_picture_with_an_odd_name_that_is_broken_is_one_line(run, broken, pictures, out):
    path = broken.rename(broken.with_name("a\n\x1b[2Jb  c.png"))
    status, _, errors = run("tokenize", path, pictures, "-o", out)
    assert status == SOME_FAILED and is_one_line(errors) and "a\\n\\x1b[2Jb  c.png" in errors
