"""Checks of arguments at the door: the value, or an error that names what came."""

import math
import operator
import os
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


def unit_interval(value: Any, name: str) -> float:
    """The value as a float, if it lies in [0, 1]."""
    value = number(value, name)
    if not 0 <= value <= 1:  # nor NaN
        raise ValueError(f"{name} must be in [0, 1], got {value}")
    return value


def one_of(value: object, choices: dict, name: str) -> str:
    """The value, if it is one of the named choices."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def number(value: Any, name: str) -> float:
    """The value as a float, if it is a number: Python's, NumPy's or PyTorch's."""
    plain = without_dimensions(value)
    if isinstance(plain, bool) or not isinstance(plain, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    return float(plain)


def finite(value: Any, name: str) -> float:
    """The value as a float, if it is a finite number."""
    value = number(value, name)
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    return value


def positive(value: Any, name: str) -> float:
    """The value as a float, if it is a finite number above 0."""
    value = number(value, name)
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive, got {value}")
    return value


def channel_statistics(
    mean: Any, std: Any
) -> tuple[tuple[float, float, float], tuple[float, float, float]] | None:
    """Mean and deviation of red, green and blue, if both are given; None if neither is."""
    if (mean is None) != (std is None):
        raise ValueError("mean and std must be given together")
    if mean is None:
        return None
    centre, spread = of_channels(mean, "mean"), of_channels(std, "std")
    if not all(value > 0 for value in spread):
        raise ValueError(f"std must be positive, got {std}")
    return centre, spread


def of_channels(values: Any, name: str) -> tuple[float, float, float]:
    """The finite numbers of red, green and blue."""
    if isinstance(values, str) or not hasattr(values, "__len__") or len(values) != 3:
        raise ValueError(f"{name} must be of three channels, got {values!r}")
    red, green, blue = (number(value, name) for value in values)
    if not all(map(math.isfinite, (red, green, blue))):
        raise ValueError(f"{name} must be finite, got {values!r}")
    return red, green, blue


def boolean(value: Any, name: str) -> bool:
    """The value, if it is True or False: 1, "yes" and None may be slips."""
    plain = without_dimensions(value)
    if not isinstance(plain, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return plain


def instance(value: Any, kind: type, name: str, called: str) -> Any:
    """The value, if it is of a class, which errors call by a name."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {called}, got {value!r}")
    return value


def file_path(value: Any, name: str) -> str:
    """The value as a string, if it is a path: numbers would be descriptors of open files."""
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(path, str):
        raise TypeError(f"{name} must be a string or an os.PathLike of one, got {value!r}")
    return path


def without_dimensions(value: Any) -> Any:
    """The number in a scalar of NumPy or a tensor without dimensions; others as they are."""
    return value.item() if getattr(value, "ndim", None) == 0 else value
