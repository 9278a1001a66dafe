"""How kernels are compiled: strict IEEE arithmetic, no interpreter's lock, kept on disk."""

import inspect
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

_log = logging.getLogger("spitgraph")

_PACKAGE = Path(__file__).parents[2]
#: Files that kernels are compiled from, and others whose constants are compiled into them.
_FILES = (
    "**/cpu/*.py",
    "pixels.py",
    "regions/*.py",
    "contraction/graph.py",
    "contraction/weights.py",
)
#: Compiled code is kept on disk as long as nothing of this changes: kernels call each other, where
#: Numba by itself would look at a function's own file only.
SOURCES = tuple(
    (path.name, path.stat().st_mtime_ns, path.stat().st_size)
    for pattern in _FILES
    for path in sorted(_PACKAGE.glob(pattern))
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
