"""What colours are centred by and divided by before a transformer reads them."""

import math
from collections.abc import Sequence

from spitgraph.checks import number


def normalisation(
    mean: Sequence[float] | None, std: Sequence[float] | None
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Mean and standard deviation of red, green and blue, both or neither.

    Raises:
        ValueError: Only one is given, one is not of three finite numbers, or std is not positive.
        TypeError: They are not numbers.
    """
    if (mean is None) != (std is None):
        raise ValueError("mean and std must be given together")
    if mean is None or std is None:
        return None, None
    centre, spread = of_channels(mean, "mean"), of_channels(std, "std")
    if min(spread) <= 0:
        raise ValueError(f"std must be positive, got {std!r}")
    return centre, spread


def of_channels(values: Sequence[float], name: str) -> tuple[float, ...]:
    """Finite numbers of red, green and blue."""
    if isinstance(values, str) or not hasattr(values, "__len__") or len(values) != 3:
        raise ValueError(f"{name} must be of three channels, got {values!r}")
    channels = tuple(number(value, name) for value in values)
    if not all(map(math.isfinite, channels)):
        raise ValueError(f"{name} must be finite, got {values!r}")
    return channels
