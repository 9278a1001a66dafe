"""Compiled jobs side by side: as many threads as PyTorch uses, the caller's among them.

Numba's own thread pools end a process that forks, or enters them from two threads: both happen
under a `DataLoader`. Idle threads here sleep, and a forked child starts its own.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import repeat
from typing import Any

import numba
import torch

#: Decorator of a kernel: strict IEEE arithmetic, no interpreter's lock, kept on disk once compiled.
kernel = numba.njit(nogil=True, cache=True, fastmath=False, error_model="numpy")


@lru_cache(maxsize=1)
def _pool(process: int, helpers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(helpers, thread_name_prefix="spitgraph")


def for_each(job: Callable[[Any], None], items: Iterable[Any]) -> None:
    """Call `job` on every item, in any order; an exception in one is raised here."""
    waiting = list(reversed(list(items)))

    def work(_: Any = None) -> None:
        while True:
            try:
                item = waiting.pop()  # atomic
            except IndexError:
                return
            job(item)

    helpers = min(torch.get_num_threads(), len(waiting)) - 1
    if helpers <= 0:
        return work()
    pool = _pool(os.getpid(), torch.get_num_threads() - 1)
    started = [pool.submit(work) for _ in repeat(None, helpers)]
    work()
    for helper in started:
        if not helper.cancel():  # one that has not begun has nothing left to do
            helper.result()
