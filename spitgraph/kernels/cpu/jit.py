"""How kernels are compiled: strict IEEE arithmetic, no interpreter's lock, kept on disk.

With `NUMBA_DISABLE_JIT=1` they are plain Python functions: a debugger steps through them.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.extending import intrinsic

from spitgraph.kernels.cpu import cache

#: Whether kernels are compiled.
IS_COMPILED = not cache.config.DISABLE_JIT
#: All of them that are kept on disk.
KERNELS: list[Any] = []


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function: strict IEEE arithmetic, no interpreter's lock, kept on disk."""
    compiled = _compiled(function)
    if IS_COMPILED and cache.folder() is not None:
        compiled._cache = cache.KernelCache(compiled.py_func)
        KERNELS.append(compiled)
    return compiled


def kernels_of(modules: tuple[str, ...]) -> list[Any]:
    """Those that are kept on disk, of modules below `spitgraph` whose names begin like these."""
    return [k for k in KERNELS if k.__module__.removeprefix("spitgraph.").startswith(modules)]


def load(modules: tuple[str, ...]) -> None:
    """Load all compiled code of kernels that are imported, and compile nothing.

    Raises:
        Exception: Any; some of it is damaged, or not there.
    """
    with cache.only_loading():
        for compiled in kernels_of(modules):
            for signature in compiled._cache.signatures(compiled.targetctx):
                compiled.compile(signature)


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a small part of a kernel, which becomes part of its callers."""
    return _compiled(function, inline="always")


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    function = inspect.unwrap(function)  # from a run-time type checker, which does not compile
    if not IS_COMPILED:
        # integers wrap around and divisions by zero are no errors, as in compiled code
        return np.errstate(all="ignore")(function)
    options |= {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    return numba.njit(**options)(function)


def llvm(generate: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """Give a function a second body, in LLVM's instructions, for kernels.

    Its own body, over NumPy, says what it does: as `py_func`, to compare with, and where nothing is
    compiled.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        function = inspect.unwrap(function)
        if not IS_COMPILED:
            return np.errstate(all="ignore")(function)
        compiled: Any = intrinsic(inspect.unwrap(generate))
        compiled.py_func = function
        return compiled

    return decorate
