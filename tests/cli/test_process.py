"""The command as a process: how it ends, and what its streams get."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

import spitgraph
from helpers.commands import is_one_line, written
from helpers.places import REPOSITORY

ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY)}


def start(*args, **streams):
    command = [sys.executable, "-m", "spitgraph", *map(str, args)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.Popen(command, text=True, env=ENVIRONMENT, **streams)


def test_it_prints_and_ends():
    process = start("--version")
    assert process.communicate() == (f"spitgraph {spitgraph.__version__}\n", "")
    assert process.returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_stdout_is_told_once():
    with open("/dev/full", "w") as full:
        process = start("--help", stdout=full)
        _, errors = process.communicate()
    assert process.returncode == 2 and is_one_line(errors) and "stdout" in errors


def test_a_reader_that_has_gone_is_no_complaint():
    reader, writer = os.pipe()
    os.close(reader)
    process = start("--help", stdout=writer)
    os.close(writer)
    assert process.communicate()[1] == ""
    assert process.returncode == 141


@pytest.mark.slow
def test_without_streams_all_is_done(draw, out):
    paths = [str(draw(name)) for name in ("a.png", "b.png")]
    command = [sys.executable, "-m", "spitgraph", "tokenize", *paths, "-o", str(out)]
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command]
    assert subprocess.run(shell, env=ENVIRONMENT).returncode == 0
    assert written(out) == ["a.pt", "b.pt"]
    for name in written(out):
        torch.load(out / name, weights_only=True)


@pytest.mark.slow
def test_a_signal_ends_it_in_the_midst_of_its_work(draw, out):
    paths = [draw("0.png", side=300)]
    for count in range(1, 200):
        paths.append(paths[0].with_name(f"{count}.png"))
        paths[-1].symlink_to("0.png")
    process = start("tokenize", *paths, "-o", out, "--overlay")
    while not list(out.glob("*.pt")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    text, errors = process.communicate(timeout=60)
    assert (process.returncode, text) == (130, "") and is_one_line(errors)
    names = written(out)
    assert {name[:-3] for name in names if name.endswith(".pt")} == {
        name.removesuffix("-overlay.png") for name in names if name.endswith(".png")
    }
    assert not [name for name in names if name.startswith(".")] and len(names) < 400


def test_a_signal_while_it_is_loaded_is_no_traceback():
    process = start("--help", stderr=subprocess.PIPE)
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert process.returncode in (0, 143, -signal.SIGTERM)  # the latter before there is a handler
    assert "Traceback" not in errors
