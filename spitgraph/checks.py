"""Checks of arguments at the door: the value, or an error that names what came."""

import math
import operator
from collections.abc import Iterable
from numbers import Real
from typing import Any


def as_integer(value: Any) -> int | None:
    """The whole number that a value of Python, NumPy or PyTorch is; None where it is none.

    Truth values are none, and neither are arrays and tensors that have a dimension.
    """
    is_truth = isinstance(value, bool) or "bool" in str(getattr(value, "dtype", ""))
    if is_truth or getattr(value, "ndim", None):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def integer(value: Any, name: str, minimum: int | None = 1) -> int:
    """The value, if it is a whole number not below the minimum."""
    whole = as_integer(value)
    if whole is None:
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if minimum is not None and whole < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {whole}")
    return whole


def integers(value: Any, name: str) -> list[int]:
    """One whole number or several, as a list."""
    several = isinstance(value, Iterable) and getattr(value, "ndim", None) != 0
    return [integer(one, name, minimum=None) for one in (value if several else [value])]


def unit_interval(value: float, name: str) -> float:
    """The value as a float, if it lies in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if math.isnan(value) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {value}")
    return float(value)


def one_of(value: object, choices: dict, name: str) -> str:
    """The value, if it is one of the named choices."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value
