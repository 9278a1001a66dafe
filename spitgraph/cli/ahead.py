"""Images that threads work on ahead, while what became of them is told in their order."""

import argparse
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Any

from spitgraph.cli.each import file_errors
from spitgraph.cli.interrupts import Interrupts

#: Images begun ahead, for each thread: the one that is asked for may take longest.
AHEAD = 4


class Ahead:
    """Calls `write` on every path, so many at a time, some ahead of the one that is asked for.

    Kernels, decoders and the disk need no interpreter's lock: threads serve, and start at once.

    Args:
        paths: Of images, in the order in which they are asked for.
        write: Called with a path and the arguments of its thread.
        jobs: Threads.
        args: With `interrupts`: those of a thread never come, and it ends its image.
    """

    def __init__(
        self,
        paths: list[Path],
        write: Callable[[Path, argparse.Namespace], None],
        jobs: int,
        args: argparse.Namespace,
    ) -> None:
        import torch

        self._write, self._args = write, args
        self._threads = torch.get_num_threads()
        share = max(1, self._threads // jobs)
        torch.set_num_threads(share)
        self._pool = ThreadPoolExecutor(jobs, initializer=torch.set_num_threads, initargs=(share,))
        self._waiting = iter(paths)
        self._begun: deque[tuple[Path, Future[Any]]] = deque()
        for _ in range(AHEAD * jobs):
            self._begin_next()

    def _begin_next(self) -> None:
        path = next(self._waiting, None)
        if path is not None:
            self._begun.append((path, self._pool.submit(self._attempt, path)))

    def _attempt(self, path: Path) -> None:
        own = argparse.Namespace(**{**vars(self._args), "interrupts": Interrupts()})
        with file_errors(path, own):
            self._write(path, own)

    def result(self, path: Path) -> None:
        """Wait for the next path, and raise what its thread raised."""
        due, future = self._begun.popleft()
        assert due == path, f"{path} was asked for before {due}"
        self._begin_next()
        while not future.done():  # a signal is to come through
            wait([future], timeout=0.1)
        future.result()

    def __enter__(self) -> "Ahead":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        import torch

        with self._args.interrupts.allowed(False):  # images that were begun are ended
            self._pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(self._threads)
