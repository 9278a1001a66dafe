"""Ctrl-C and its like end a command with a line and a status, wherever it is; and nothing stays."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress

import pytest
import torch
from PIL import Image

from helpers.commands import is_one_line, written
from spitgraph import SuperpixelTokenizer
from spitgraph.cli import main, parser, streams
from spitgraph.cli.errors import DONE
from spitgraph.cli.interrupts import Interrupted, Interrupts

STATUSES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
TELLING = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}


@pytest.fixture(autouse=True)
def handlers():
    """Python's own handlers, which must be there again after each test."""
    before = {number: signal.getsignal(number) for number in STATUSES}
    hook = sys.unraisablehook
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) == signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
    assert sys.unraisablehook is hook
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number):
    os.kill(os.getpid(), number)


#: Moments of a run: what is called then, and whether the first picture is written nonetheless.
MOMENTS = {
    "reading": (Image, "open", False),
    "tokenizing": (SuperpixelTokenizer, "hierarchy", False),
    "drawing": (Image.Image, "save", False),
    "making a folder": (os, "mkdir", False),
    "writing": (torch, "save", False),
    "moving": (os, "replace", True),
    "removing": (os, "rmdir", True),
}


@pytest.fixture
def send_when(monkeypatch):
    """`send_when(place, name, number)`: signals come as soon as that function is called."""

    def send_when(place, name, number, swallow=()):
        function = getattr(place, name)

        def interrupted(*args, **kwargs):
            with suppress(swallow):
                send(number)
            return function(*args, **kwargs)

        monkeypatch.setattr(place, name, interrupted)

    return send_when


@pytest.mark.parametrize("number", STATUSES)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_ends_the_command_at_any_moment(run, pictures, out, send_when, moment, number):
    place, name, finished = MOMENTS[moment]
    send_when(place, name, number)
    status, text, errors = run("tokenize", pictures, "-o", out, "--overlay")
    assert (status, text) == (STATUSES[number], "")
    assert errors == f"spitgraph: {TELLING[number]}\n"
    assert written(out) == (["a-overlay.png", "a.pt"] if finished else [])
    assert out.exists() == finished


@pytest.mark.parametrize("moment", ["reading", "tokenizing", "drawing"])
def test_a_signal_that_others_swallow_ends_the_command_after_the_picture(
    run, pictures, out, send_when, moment
):
    send_when(*MOMENTS[moment][:2], signal.SIGINT, swallow=KeyboardInterrupt)
    status, _, errors = run("tokenize", pictures, "-o", out, "--overlay")
    assert status == 130 and is_one_line(errors)
    assert not [name for name in written(out) if name.startswith((".", "b"))]


@pytest.mark.parametrize("error", [SystemError, ValueError, OSError, RuntimeError])
def test_a_signal_that_becomes_another_error_is_still_one(run, pictures, out, monkeypatch, error):
    def hierarchy(self, images):
        try:
            send(signal.SIGINT)
        except KeyboardInterrupt as interrupt:
            raise error("returned a result with an exception set") from interrupt

    monkeypatch.setattr(SuperpixelTokenizer, "hierarchy", hierarchy)
    status, _, errors = run("tokenize", pictures, "-o", out)
    assert (status, errors) == (130, "spitgraph: interrupted\n")


def test_a_signal_in_a_finalizer_is_not_shown_as_ignored(run, pictures, out, monkeypatch):
    class Dropped:
        def __del__(self):
            send(signal.SIGINT)

    load = Image.open
    ignored = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    monkeypatch.setattr(Image, "open", lambda *args: (Dropped(), load(*args))[1])
    status, _, errors = run("tokenize", pictures, "-o", out)
    assert (status, errors) == (130, "spitgraph: interrupted\n")
    assert not ignored


def test_further_signals_do_not_keep_it_from_tidying_up(run, pictures, out, send_when):
    send_when(Image.Image, "save", signal.SIGINT)
    send_when(shutil, "rmtree", signal.SIGTERM)
    send_when(streams, "printable", signal.SIGHUP)
    status, text, errors = run("tokenize", pictures, "-o", out, "--overlay")
    assert (status, text, errors) == (130, "", "spitgraph: interrupted\n")
    assert not out.parent.exists()


@pytest.mark.parametrize("command", [["--help"], ["info", "a.pt"], ["models"]])
def test_every_command_ends_by_a_signal(run, send_when, command):
    send_when(parser, "Parser", signal.SIGTERM)
    assert run(*command) == (143, "", "spitgraph: terminated\n")


def test_signals_that_the_process_ignores_stay_ignored(run, pictures, out, send_when):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    send_when(Image, "open", signal.SIGHUP)
    assert run("tokenize", pictures, "-o", out)[0] == DONE
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_handlers_of_the_process_are_left_to_it(run, pictures, out, send_when):
    came = []
    signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    send_when(Image, "open", signal.SIGTERM)
    assert run("tokenize", pictures, "-o", out)[0] == DONE
    assert came == [signal.SIGTERM] * 3
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_commands_run_in_any_thread(pictures, out):
    statuses = []
    arguments = ["tokenize", str(pictures), "-o", str(out), "--quiet"]
    thread = threading.Thread(target=lambda: statuses.append(main(arguments)))
    thread.start()
    thread.join()
    assert statuses == [DONE] and written(out) == ["a.pt", "b.pt", "c.pt"]


def test_importing_the_command_line_changes_no_handler():
    code = """import signal
handlers = lambda: [signal.getsignal(number) for number in signal.valid_signals()]
before = handlers()
import spitgraph.cli.parser
assert handlers() == before"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("ends_process", [False, True])
def test_imports_are_not_broken_off(capsys, monkeypatch, ends_process):
    ended, finished = [], []
    monkeypatch.setattr(os, "_exit", ended.append)
    with (
        Interrupts(ends_process) as interrupts,
        pytest.raises(Interrupted),
        interrupts.allowed(True),
        interrupts.importing(),
    ):
        send(signal.SIGTERM)
        finished.append(True)
    assert finished and ended == ([143] if ends_process else [])
    assert capsys.readouterr().err == ("spitgraph: terminated\n" if ends_process else "")


def test_what_may_not_be_broken_off_is_finished_first():
    steps = []
    with (
        Interrupts() as interrupts,
        pytest.raises(Interrupted),
        interrupts.allowed(True),
        interrupts.allowed(False),
    ):
        send(signal.SIGINT)
        steps.append("in one piece")
        with interrupts.allowed(True):
            steps.append("never")
    assert steps == ["in one piece"]
