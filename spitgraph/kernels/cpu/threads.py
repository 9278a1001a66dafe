"""Compiled jobs side by side: as many threads as PyTorch uses, the caller's among them.

Numba's own thread pools end a process that forks, or enters them from two threads: both happen
under a `DataLoader`. Idle threads here sleep, and a forked child starts its own.

Jobs call no PyTorch operation that divides its work: OpenMP would start further threads for each
that does, and with more of them than processors, all of a process wait for each other asleep.

The caller may be interrupted between any two steps. `Condition`, on which executors and their
futures are built, can stay locked for ever then: here, steps are single calls into C, and may be
repeated.
"""

import os
from _thread import allocate_lock
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from queue import SimpleQueue
from threading import Thread
from typing import Any

import torch

#: Pixels of one job.
JOB = 2**16


def jobs(num_pixels: int) -> list[tuple[int, int]]:
    """Pixels [begin, end) of jobs that divide an image or a batch among threads."""
    return [(begin, min(begin + JOB, num_pixels)) for begin in range(0, num_pixels, JOB)]


def for_each(
    job: Callable[[Any], None], items: Iterable[Any], stop: Callable[[], None] | None = None
) -> None:
    """Call `job` on every item; they are begun in their order.

    After an exception no more are begun; the first one is raised here as soon as those that are
    have ended. An interrupt is an exception in the caller's thread, wherever that is.

    Args:
        job: What is done.
        items: To what.
        stop: Called after an exception, once or more, for those that would wait for others.
    """
    stop = stop or _nothing
    waiting = list(items)
    if min(torch.get_num_threads(), len(waiting)) < 2:
        return one_by_one(job, waiting, stop)
    waiting.reverse()
    errors: list[BaseException] = []

    def abandon(error: BaseException) -> None:
        errors.append(error)
        waiting.clear()
        stop()

    def work() -> None:
        while waiting:
            try:
                item = waiting.pop()  # atomic
            except IndexError:
                return
            try:
                job(item)
            except BaseException as error:
                abandon(error)

    helpers = [Helper(work) for _ in range(min(torch.get_num_threads(), len(waiting)) - 1)]
    try:
        for helper in helpers:
            _pool(os.getpid(), torch.get_num_threads() - 1).ask(helper)
        work()
        for helper in helpers:
            helper.end()
    except BaseException as error:
        try:
            abandon(error)
        finally:
            stop()  # though interrupted once more
        for helper in helpers:
            helper.end()
    if errors:
        try:
            raise errors[0]
        finally:
            errors.clear()  # they hold this frame, and it them


def one_by_one(job: Callable[[Any], None], items: list[Any], stop: Callable[[], None]) -> None:
    """The same by the caller alone."""
    try:
        for item in items:
            job(item)
    except BaseException:
        stop()
        raise


def _nothing() -> None:
    pass


class Helper:
    """Work that another thread is asked to share, and does unless it comes too late."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._whose: dict[str, str] = {}
        self._has_ended = False
        self._at_work = allocate_lock()
        self._at_work.acquire()

    def begin(self) -> None:
        """The other thread: work, unless that has been ended."""
        if self._whose.setdefault("work", "helper") == "helper":  # atomic
            try:
                self._work()
            finally:
                self._has_ended = True
                self._at_work.release()

    def end(self) -> None:
        """The caller: wait for it if it has begun; else it never will."""
        if self._whose.setdefault("work", "caller") == "caller":
            self._work = _nothing
        elif not self._has_ended:
            self._at_work.acquire()


class Pool:
    """Threads that sleep until they are asked, started when first needed."""

    def __init__(self, size: int) -> None:
        self._asked: SimpleQueue[Helper | None] = SimpleQueue()
        self._size, self._to_start = size, list(range(size))

    def ask(self, helper: Helper) -> None:
        """Let one of the threads begin, as soon as it has nothing else to do.

        Where the system allows no further thread, nobody does.
        """
        with suppress(IndexError):  # all are there
            number = self._to_start.pop()
            try:
                Thread(target=serve, args=(self._asked,), name="spitgraph", daemon=True).start()
            except RuntimeError:
                self._to_start.append(number)
                return
        self._asked.put(helper)

    def __del__(self) -> None:
        for _ in range(self._size):
            self._asked.put(None)


def serve(asked: "SimpleQueue[Helper | None]") -> None:
    """What a thread of a pool does, until the pool is gone."""
    while (helper := asked.get()) is not None:
        helper.begin()
        del helper  # and what it holds


@lru_cache(maxsize=1)
def _pool(process: int, size: int) -> Pool:
    return Pool(size)
