"""`spitgraph tokenize -j`: several images at a time; what is written and said is the same."""

import errno
import os

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.commands import contents, written
from spitgraph.cli import outputs, tokenize
from spitgraph.cli.errors import DONE, NOTHING_DONE, SOME_FAILED


@pytest.fixture
def many(tmp_path):
    """A folder of 14 pictures of growing sizes, three of them broken."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(14):
        pixels = np.random.default_rng(number).integers(0, 256, (9 + 5 * number, 12, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    for number in (0, 6, 13):
        path = folder / f"{number:02d}.png"
        path.write_bytes(path.read_bytes()[:80])
    return folder


@pytest.mark.parametrize(
    "options", [[], ["--features", "--overlay"], ["--tokenizer", "voronoi", "--num-tokens", "5"]]
)
def test_several_at_a_time_write_and_say_the_same(run, many, tmp_path, options):
    threads = torch.get_num_threads()
    status, said, errors = run("tokenize", many, "-o", tmp_path / "one", *options)
    assert status == SOME_FAILED and len(errors.splitlines()) == 3
    for jobs in (2, 5):
        out = tmp_path / f"jobs-{jobs}"
        expected = (status, said.replace("/one", f"/jobs-{jobs}"), errors)
        assert run("tokenize", many, "-o", out, "-j", jobs, *options) == expected
        assert list(contents(out).values()) == list(contents(tmp_path / "one").values())
        assert written(out) == written(tmp_path / "one")
    assert torch.get_num_threads() == threads


def test_a_full_disk_is_told_as_often(run, many, tmp_path, monkeypatch):
    save = outputs.save

    def fill(tokens, path, interrupts):
        if path.name in ("03.pt", "05.pt"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        save(tokens, path, interrupts)

    monkeypatch.setattr(tokenize, "save", fill)
    told = [
        run("tokenize", many, "-o", tmp_path / out, *jobs)
        for out, jobs in [("x1", []), ("x2", ["-j", "3"])]
    ]
    assert told[0][2].replace("x1", "x2") == told[1][2] and told[0][0] == told[1][0] == SOME_FAILED
    assert written(tmp_path / "x2") == written(tmp_path / "x1")


def test_an_interrupt_lets_what_was_begun_end_and_begins_no_more(run, many, tmp_path, monkeypatch):
    from spitgraph.cli import each

    def interrupted(done, *rest):
        raise KeyboardInterrupt

    monkeypatch.setattr(each, "reported", interrupted)  # at the first broken picture
    status, _, error = run("tokenize", many, "-o", tmp_path / "out", "-j", "2")
    assert (status, error) == (130, "spitgraph: interrupted\n")
    names = written(tmp_path / "out")
    assert all(name.endswith(".pt") for name in names) and len(names) < 11


def test_one_image_and_no_jobs(run, many, tmp_path):
    assert run("tokenize", many / "01.png", "-o", tmp_path / "out", "-j", "4")[0] == DONE
    status, _, error = run("tokenize", many, "-o", tmp_path / "none", "-j", "0")
    assert status == NOTHING_DONE and "--jobs 0 is less than 1" in error
    assert not (tmp_path / "none").exists()
