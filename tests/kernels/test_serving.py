"""Nobody waits for a compiler: who compiles, when, and what serves until then.

A stand-in for the compiler takes no time: it says that it was there, and that all is complete.
"""

import hashlib
import json
import logging
import multiprocessing
import os
import signal
import sys
import time

import pytest
import torch

from spitgraph import SuperpixelTokenizer, kernels

pytest.importorskip("numba")

from spitgraph.kernels import serving  # noqa: E402
from spitgraph.kernels.cpu import cache  # noqa: E402

CPU = torch.device("cpu")
NAME = "contraction"
#: In place of `serving.COMMAND`, whose arguments it is given.
WORKS = """
import os, pathlib, time
folder = pathlib.Path({folder!r})
with (folder / "compilers").open("a") as file:
    file.write(f"{{os.getpid()}}\\n")
time.sleep({seconds})
(folder / {note!r}).write_text('{{"files": {{}}, "seconds": 1.0}}')
"""
FAILS = """
import pathlib, sys
folder = pathlib.Path({folder!r})
with (folder / "compilers").open("a") as file:
    file.write("failed\\n")
sys.exit("no such instruction")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache, of a process that has not looked yet."""
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    monkeypatch.setattr(serving, "_ready", set())
    monkeypatch.setattr(serving, "_next_look", {})
    monkeypatch.setattr(serving, "PAUSE", 0.02)
    return tmp_path


@pytest.fixture
def compiler(folder, monkeypatch):
    """Choose what the process does that is started."""

    def choose(command, seconds=0.0):
        values = {"folder": str(folder), "note": cache._note(NAME), "seconds": seconds}
        monkeypatch.setattr(serving, "COMMAND", command.format(**values))

    choose(WORKS)
    return choose


def compilers(folder):
    file = folder / "compilers"
    return file.read_text().split() if file.exists() else []


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_the_first_call_is_plain_and_later_ones_are_fused(compiler, folder, caplog):
    compiler(WORKS, seconds=0.3)
    with caplog.at_level(logging.WARNING, logger="spitgraph"):
        assert not kernels.fused(CPU, NAME)
        assert not kernels.fused(CPU, NAME)
        wait_for(lambda: kernels.fused(CPU, NAME))
    assert len(compilers(folder)) == 1
    assert len(caplog.records) == 1 and "plain operations serve meanwhile" in caplog.text


def test_tokens_are_the_same_meanwhile(compiler, assert_same):
    image = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0))
    compiler(WORKS, seconds=0.3)
    plain = SuperpixelTokenizer()(image)
    wait_for(lambda: kernels.fused(CPU, NAME))
    assert_same(SuperpixelTokenizer()(image), plain)


def test_pipelines_do_not_wait_for_each_other(compiler, folder):
    (folder / cache._note("interpolation")).write_text('{"files": {}, "seconds": 1.0}')
    compiler(WORKS, seconds=30)
    assert kernels.fused(CPU, "interpolation") and not kernels.fused(CPU, NAME)
    wait_for(lambda: compilers(folder))
    os.kill(int(compilers(folder)[0]), signal.SIGKILL)


def ask(_=None):
    serving._next_look.clear()
    return serving.is_ready(NAME)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_ten_processes_start_one_compiler(compiler, folder):
    compiler(WORKS, seconds=1.0)
    processes = multiprocessing.get_context("fork")
    with processes.Pool(10) as pool:
        pool.map(ask, range(10), chunksize=1)
        wait_for(ask)
    assert len(compilers(folder)) == 1


class Numbers(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return int(ask())


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_workers_of_a_loader_start_one_too_and_end(compiler, folder):
    compiler(WORKS, seconds=1.0)
    loader = torch.utils.data.DataLoader(
        Numbers(), num_workers=2, multiprocessing_context="fork", batch_size=1
    )
    assert len(list(loader)) == 4  # though the compiler outlives the workers
    wait_for(ask)
    assert len(compilers(folder)) == 1


def test_who_is_killed_is_replaced(compiler, folder):
    compiler(WORKS, seconds=60)
    ask()
    wait_for(lambda: compilers(folder))
    assert not ask() and len(compilers(folder)) == 1
    # what a killed process leaves behind: a free lock, and no word to whoever started it
    serving._next_look = {}
    os.kill(int(compilers(folder)[0]), signal.SIGKILL)
    compiler(WORKS)
    wait_for(ask)
    assert len(compilers(folder)) == 2


def test_a_compiler_that_fails_is_not_started_again(compiler, folder, caplog):
    compiler(FAILS)
    with caplog.at_level(logging.WARNING, logger="spitgraph"):
        serving.is_ready(NAME)
        wait_for(lambda: serving._next_look[NAME] == float("inf"))
        time.sleep(0.1)
        assert not serving.is_ready(NAME)
    assert len(compilers(folder)) == 1
    assert [r.levelname for r in caplog.records] == ["WARNING", "WARNING"]
    assert "failed" in caplog.records[1].message


def test_other_processes_give_up_as_well(compiler, folder, caplog):
    cache.tries_file(NAME).write_bytes(b"." * cache.MOST_TRIES)
    with caplog.at_level(logging.WARNING, logger="spitgraph"):
        assert not serving.is_ready(NAME)
        assert not serving.is_ready(NAME)
    assert compilers(folder) == [] and len(caplog.records) == 1
    long_ago = time.time() - cache.FORGIVEN_AFTER - 60
    os.utime(cache.tries_file(NAME), (long_ago, long_ago))
    assert not ask()
    wait_for(lambda: compilers(folder))


def test_where_nothing_can_be_written_plain_operations_serve(folder, monkeypatch, caplog):
    monkeypatch.setattr(cache, "folder", lambda: None)
    with caplog.at_level(logging.WARNING, logger="spitgraph"):
        assert not serving.is_ready(NAME)
        time.sleep(0.05)
        assert not serving.is_ready(NAME)
    assert len(caplog.records) == 1 and "NUMBA_CACHE_DIR" in caplog.text
    serving.warm_up()  # in this process, for it alone
    assert serving.is_ready(NAME)


def test_without_an_interpreter_plain_operations_serve(compiler, folder, monkeypatch, caplog):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with caplog.at_level(logging.WARNING, logger="spitgraph"):
        assert not serving.is_ready(NAME)
        time.sleep(0.05)
        assert not serving.is_ready(NAME)
    assert len(caplog.records) == 1 and "no Python interpreter" in caplog.text


def test_warm_up_says_why_it_failed(compiler):
    compiler(FAILS)
    with pytest.raises(RuntimeError, match="no such instruction"):
        serving.warm_up()


def test_missing_files_are_compiled_again(folder):
    note = {"files": {"a.nbi": hashlib.sha256(b"code").hexdigest()}, "seconds": 1.0}
    (folder / cache._note(NAME)).write_text(json.dumps(note))
    assert not cache.is_complete(NAME)
    (folder / "a.nbi").write_bytes(b"code")
    assert cache.is_complete(NAME)
    for damaged in (b"", b"cod", b"cose", b"code\n"):
        (folder / "a.nbi").write_bytes(damaged)
        assert not cache.is_complete(NAME)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"note"', '{"files": 3}', "\x00\xff"])
def test_what_is_no_note_says_nothing(folder, text):
    (folder / cache._note(NAME)).write_text(text)
    assert not cache.is_complete(NAME)


@pytest.fixture
def choice():
    """`cache.folder`, which chooses once for each process, made to choose anew."""
    cache.folder.cache_clear()
    yield cache.folder
    cache.folder.cache_clear()


def test_an_installation_warmed_up_and_then_locked_keeps_its_kernels(choice, tmp_path, monkeypatch):
    here = cache.PACKAGE / "kernels" / "cpu" / "__pycache__"
    monkeypatch.setattr(cache.config, "CACHE_DIR", "")
    monkeypatch.setattr(cache, "_is_writable", lambda place: place != here)
    monkeypatch.setattr(cache, "_holds", lambda place, _: place == here)
    assert choice() == here
    monkeypatch.setattr(cache, "_holds", lambda *_: False)
    choice.cache_clear()
    assert choice() not in (here, None)
    monkeypatch.setattr(cache, "_is_writable", lambda _: False)
    choice.cache_clear()
    assert choice() is None


def test_the_cache_goes_where_numba_is_told(choice, tmp_path, monkeypatch):
    monkeypatch.setattr(cache.config, "CACHE_DIR", str(tmp_path))
    assert choice().parent == tmp_path
    monkeypatch.setattr(cache.config, "CACHE_DIR", "/dev/null/nowhere")
    choice.cache_clear()
    assert choice() is None
