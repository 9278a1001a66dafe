"""Checks of arguments at the door: the value, or an error that names what came."""

import math
from numbers import Integral, Real


def integer(value: int, name: str, minimum: int = 1) -> int:
    """The value, if it is a whole number not below the minimum."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")
    return int(value)


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
