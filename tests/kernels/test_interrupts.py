"""Ctrl-C, and whatever else a signal's handler raises, comes out as what it is."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch

from helpers.pictures import noise
from spitgraph import InterpolationExtractor, SuperpixelTokenizer, kernels

pytest.importorskip("numba")

from spitgraph.contraction.cpu import batch  # noqa: E402
from spitgraph.kernels.cpu import threads  # noqa: E402
from spitgraph.kernels.cpu.interrupts import cause_of, interruptible  # noqa: E402
from spitgraph.kernels.cpu.team import CLOSED, DONE, FAILED, HOME, TICKET, send_home  # noqa: E402

#: Whatever a handler raises, at many moments; what is then made of the image stays as it was.
#: In a process of its own: type checkers, which the test suite calls everywhere, lose interrupts.
ALARMS = """
import signal, sys, time, torch
from spitgraph import (
    InterpolationExtractor, PatchTokenizer, SuperpixelTokenizer, kernels, refine
)

class Interrupt(BaseException):
    pass

def handler(*_):
    raise Interrupt

signal.signal(signal.SIGALRM, handler)
kernels.warm_up()
draw = torch.Generator().manual_seed(0)
noise = lambda *size: torch.rand(3, *size, generator=draw)
large, middle, small = noise(700, 700), noise(200, 200), [noise(40, 50) for _ in range(5)]
tokenize, extract = SuperpixelTokenizer(), InterpolationExtractor(4)
fine = SuperpixelTokenizer(num_tokens=50, quality="fine")
squares = PatchTokenizer(16)(middle).seg
call = {
    "fast": lambda: [extract(tokenize(large)).x, tokenize(small).cluster],
    "fine": lambda: [fine(middle).cluster],
    "refine": lambda: [refine(middle, squares).cluster],
}[sys.argv[1]]
expected = call()
for k in range(12):
    torch.set_num_threads((1, 2, 4)[k % 3])
    try:
        # again each second: what is raised within __del__ is lost, as Ctrl-C would be
        signal.setitimer(signal.ITIMER_REAL, 0.003 + 0.01 * k, 1)
        while True:
            call()
    except Interrupt:
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert all(map(torch.equal, call(), expected))
    print("interrupted")
# nobody spins: the next moment's work is this thread's own
before = time.process_time()
time.sleep(0.2)
assert time.process_time() - before < 0.15
"""


def interrupted(times, script, *arguments):
    """Run a script that is interrupted so many times."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.stdout == "interrupted\n" * times and not done.returncode, done.stderr[-2000:]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no timers")
@pytest.mark.parametrize("call", ["fast", "fine", "refine"])
def test_an_interrupt_at_any_moment_comes_out_and_leaves_nothing_behind(call):
    interrupted(12, ALARMS, call)


#: Ctrl-C, once or as someone does who is in a hurry; each time the next call has to be right.
CTRL_C = """
import os, signal, threading, time, torch
from spitgraph import SuperpixelTokenizer, kernels

def press(times, enough):
    while True:
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.001)
        if enough.wait(1):  # else again: what is raised within __del__ is lost
            return

def ended(call):
    try:
        try:
            call()
        except KeyboardInterrupt:
            time.sleep(0.02)  # those that come late
    except KeyboardInterrupt:
        ended(lambda: time.sleep(0.02))

def go_on():
    while True:
        tokenize(image)

kernels.warm_up()
torch.set_num_threads(2)
tokenize, image = SuperpixelTokenizer(), torch.rand(3, 500, 600)
expected = tokenize(image).cluster
for k in range(12):
    enough = threading.Event()
    thread = threading.Timer(0.02 + 0.007 * k, press, [1 if k % 2 else 4, enough])
    thread.start()
    ended(go_on)
    enough.set()
    thread.join()
    assert torch.equal(tokenize(image).cluster, expected)
    print("interrupted")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it is sent another way")
def test_ctrl_c_is_a_keyboard_interrupt():
    interrupted(12, CTRL_C)


def test_what_numba_reports_in_its_place_is_undone():
    class Alarm(Exception):
        pass

    @interruptible
    def raises(error):
        raise error

    reported = SystemError("CPUDispatcher returned a result with an exception set")
    reported.__cause__ = SystemError("_numba_unpickle returned a result with an exception set")
    reported.__cause__.__cause__ = Alarm()
    with pytest.raises(Alarm):
        raises(reported)
    for others in (SystemError("of its own"), ValueError(), KeyboardInterrupt()):
        with pytest.raises(type(others)):
            raises(others)
        assert cause_of(others) is others


@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_interrupt_between_two_jobs_begins_no_more(num_threads, monkeypatch, count):
    num_threads(count)
    begun = []

    def job(item):
        begun.append(item)
        if item == 0:
            raise KeyboardInterrupt
        time.sleep(0.02)

    with pytest.raises(KeyboardInterrupt):
        threads.for_each(job, range(50))
    assert len(begun) <= count + 1
    done = []
    threads.for_each(done.append, range(50))
    assert sorted(done) == list(range(50))


def test_the_first_exception_is_the_one_that_is_raised(num_threads):
    """Those of others, who could not go on without the first, are its consequences."""
    num_threads(2)
    failed = threading.Event()

    def job(item):
        if threading.current_thread() is not threading.main_thread():
            failed.set()
            raise ZeroDivisionError
        assert failed.wait(10)
        time.sleep(0.05)
        raise RuntimeError("another thread of the team failed")

    with pytest.raises(ZeroDivisionError):
        threads.for_each(job, range(2))


def test_those_who_wait_are_told_whatever_happens(num_threads):
    num_threads(2)
    told = threading.Event()

    def job(item):
        if item == 0:
            raise MemoryError
        assert told.wait(10)

    with pytest.raises(MemoryError):
        threads.for_each(job, range(2), stop=told.set)


def test_a_team_that_is_sent_home_has_nothing_to_wait_for():
    import numpy as np

    board = np.array([CLOSED, 0, 0, 0])
    send_home(board)
    assert board[TICKET] >> 32 == HOME and board[DONE] == FAILED


def test_where_no_thread_can_be_started_the_caller_does_it_alone(num_threads, monkeypatch):
    num_threads(4)
    threads._pool.cache_clear()
    monkeypatch.setattr(threading.Thread, "start", _no_thread)
    monkeypatch.setattr(batch, "LARGE_OF_FEW", 1)
    image = noise(30, 40)
    tokens = SuperpixelTokenizer()(image)
    monkeypatch.undo()
    with kernels.plain():
        assert torch.equal(tokens.cluster, SuperpixelTokenizer()(image).cluster)
    threads._pool.cache_clear()


def _no_thread(_):
    raise RuntimeError("can't start new thread")


def test_a_pool_ends_with_its_last_user(num_threads):
    names = lambda: [t.name for t in threading.enumerate()].count("spitgraph")  # noqa: E731
    threads._pool.cache_clear()
    time.sleep(0.1)
    before = names()
    num_threads(5)
    threads.for_each(lambda _: time.sleep(0.01), range(20))
    assert names() == before + 4
    threads._pool.cache_clear()
    end = time.monotonic() + 10
    while names() > before:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_was_worked_on_is_not_kept(num_threads):
    import gc
    import weakref

    num_threads(3)

    class Item:
        pass

    items = [Item() for _ in range(6)]
    seen = [weakref.ref(item) for item in items]
    threads.for_each(lambda item: time.sleep(0.01), items)
    del items
    gc.disable()
    try:
        time.sleep(0.1)
        assert all(item() is None for item in seen)
    finally:
        gc.enable()


def test_nothing_of_the_process_is_changed():
    filters = list(sys.modules["warnings"].filters)
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    state = torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()
    niceness = os.nice(0) if hasattr(os, "nice") else 0
    kernels.warm_up()
    InterpolationExtractor(4)(SuperpixelTokenizer()([noise(30, 40), noise(600, 700)]))
    assert filters == list(sys.modules["warnings"].filters)
    assert handlers == {number: signal.getsignal(number) for number in signal.valid_signals()}
    assert state == (
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
    )
    assert niceness == (os.nice(0) if hasattr(os, "nice") else 0)
