"""Compiled jobs side by side: as many threads as PyTorch uses, the caller's among them.

Numba's own thread pools end a process that forks, or enters them from two threads: both happen
under a `DataLoader`. Idle threads here sleep, and a forked child starts its own.

Jobs call no PyTorch operation that divides its work: OpenMP would start further threads for each
that does, and with more of them than processors, all of a process wait for each other asleep.
"""

import inspect
import logging
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache, lru_cache
from itertools import repeat
from pathlib import Path
from typing import Any

import numba
import torch

_log = logging.getLogger("spitgraph")

_HERE = Path(__file__).parent
#: Outside of the kernels, files whose constants are compiled into them.
_CONSTANTS = "pixels.py", "regions.py", "contraction/graph.py", "contraction/weights.py"
#: Compiled code is kept on disk as long as nothing of this changes: kernels call each other, where
#: Numba by itself would look at a function's own file only.
SOURCES = tuple(
    (path.name, path.stat().st_mtime_ns, path.stat().st_size)
    for path in [*sorted(_HERE.glob("*.py")), *(_HERE.parents[1] / name for name in _CONSTANTS)]
)


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function: strict IEEE arithmetic, no interpreter's lock, kept on disk."""
    return _compiled(function)


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a small part of a kernel, which becomes part of its callers."""
    return _compiled(function, inline="always")


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    function = inspect.unwrap(function)  # from a run-time type checker, which does not compile
    options |= {"nogil": True, "error_model": "numpy"}
    try:
        compiled = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # there is no folder to keep it in
        return numba.njit(**options)(function)
    compiled._cache._cache_file._source_stamp = SOURCES
    return compiled


@cache
def announce_compilation(compiled: Any, what: str) -> None:
    """Say in the log that the first call will take its time, where nothing is on disk yet."""
    file = getattr(compiled._cache, "_cache_file", None)
    if file is None:
        _log.warning("compiling the %s kernels, in every process: up to a minute", what)
        _log.warning("NUMBA_CACHE_DIR names a folder to keep them in, which may be written to")
    elif not file._load_index():
        _log.warning("compiling the %s kernels, once for this machine: up to a minute", what)


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
