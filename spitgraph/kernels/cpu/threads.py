"""Compiled jobs side by side: as many threads as PyTorch uses, the caller's among them.

Numba's own thread pools end a process that forks, or enters them from two threads: both happen
under a `DataLoader`. Idle threads here sleep, and a forked child starts its own.

Jobs call no PyTorch operation that divides its work: OpenMP would start further threads for each
that does, and with more of them than processors, all of a process wait for each other asleep.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from itertools import repeat
from typing import Any

import torch


@lru_cache(maxsize=1)
def _pool(process: int, helpers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(helpers, thread_name_prefix="spitgraph")


#: Pixels of one job.
JOB = 2**16


def jobs(num_pixels: int) -> list[tuple[int, int]]:
    """Pixels [begin, end) of jobs that divide an image or a batch among threads."""
    return [(begin, min(begin + JOB, num_pixels)) for begin in range(0, num_pixels, JOB)]


def for_each(job: Callable[[Any], None], items: Iterable[Any]) -> None:
    """Call `job` on every item; they are begun in their order.

    After an exception no more are begun; it is raised here as soon as those that are have ended.
    """
    waiting = list(reversed(list(items)))

    def work(_: Any = None) -> None:
        while True:
            try:
                item = waiting.pop()  # atomic
            except IndexError:
                return
            try:
                job(item)
            except BaseException:
                waiting.clear()
                raise

    helpers = min(torch.get_num_threads(), len(waiting)) - 1
    if helpers <= 0:
        return work()
    pool = _pool(os.getpid(), torch.get_num_threads() - 1)
    started = [pool.submit(work) for _ in repeat(None, helpers)]
    try:
        work()
    finally:
        begun = [helper for helper in started if not helper.cancel()]  # others have nothing to do
        wait(begun)
        for helper in begun:
            helper.result()
