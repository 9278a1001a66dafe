"""An interrupt comes out of a kernel as what it is.

When a kernel returns arrays, Numba calls Python, where Ctrl-C is raised that came while the kernel
ran, or whatever else a signal's handler raises. What Numba reports of that is a `SystemError`.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def interruptible(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function that calls kernels raise what interrupted it."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except SystemError as error:
            cause = cause_of(error)
            if cause is error:
                raise
        raise cause

    return wrapped


def cause_of(error: BaseException) -> BaseException:
    """What a `SystemError` was reported in place of; any other error itself."""
    while isinstance(error, SystemError) and error.__cause__ is not None:
        error = error.__cause__
    return error
