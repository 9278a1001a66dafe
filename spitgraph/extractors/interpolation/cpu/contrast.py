"""Colour of every pixel: contrast (METHOD 3.1.1) from a table or by the formula; or plain."""

import math

import numpy as np

from spitgraph.colour import EIGHT_BIT
from spitgraph.kernels.cpu.elementary import exp, log
from spitgraph.kernels.cpu.jit import kernel
from spitgraph.pixels import CONTRAST

#: Exponents (a, b) of the channels.
(_A0, _B0), (_A1, _B1), (_A2, _B2) = ((a, -math.log(2) / math.log1p(-(m**a))) for m, a in CONTRAST)
#: Pixels looked up together; where one is not an 8-bit value, all are computed.
ROW = 512


def _table(a: float, b: float) -> np.ndarray:
    x = EIGHT_BIT.astype(np.float64)
    return (1 - 2 * (1 - x**a) ** b).astype(np.float32)


RED, GREEN, BLUE = _table(_A0, _B0), _table(_A1, _B1), _table(_A2, _B2)


@kernel
def adjust_contrast(pixels: np.ndarray, colour: np.ndarray) -> None:
    """Contrast-adjusted colour [n, 3] of pixels [n, 3]."""
    for start in range(0, len(pixels), ROW):
        part, result = pixels[start : start + ROW], colour[start : start + ROW]
        if not look_up(part, result):
            compute(part, result)


@kernel
def normalise(pixels: np.ndarray, statistics: np.ndarray, colour: np.ndarray) -> None:
    """(RGB − mean)/std [n, 3] of pixels [n, 3]; statistics [2, 3] float32 hold mean and std."""
    mean, std = statistics
    for i in range(len(pixels)):
        for channel in range(3):
            colour[i, channel] = (pixels[i, channel] - mean[channel]) / std[channel]


@kernel
def look_up(pixels: np.ndarray, colour: np.ndarray) -> bool:
    """Colours of 8-bit values from a table; whether all were 8-bit values."""
    exact = True
    for i in range(len(pixels)):
        r, g, b = pixels[i, 0], pixels[i, 1], pixels[i, 2]
        kr, kg, kb = nearest_step(r), nearest_step(g), nearest_step(b)
        exact &= (EIGHT_BIT[kr] == r) & (EIGHT_BIT[kg] == g) & (EIGHT_BIT[kb] == b)
        colour[i, 0], colour[i, 1], colour[i, 2] = RED[kr], GREEN[kg], BLUE[kb]
    return exact


@kernel
def nearest_step(value: np.float32) -> np.uint8:
    """Of 8 bits; values outside [0, 1] give any."""
    return np.uint8(np.int32(value * np.float32(255) + np.float32(0.5)))


@kernel
def compute(pixels: np.ndarray, colour: np.ndarray) -> None:
    """Colours of any values by the formula, in float64 so that xᵃ near 1 loses nothing."""
    values = np.empty(len(pixels))
    for channel, a, b in ((0, _A0, _B0), (1, _A1, _B1), (2, _A2, _B2)):
        for i in range(len(values)):
            values[i] = pixels[i, channel]
        power(values, a)
        for i in range(len(values)):
            values[i] = 1.0 - values[i]
        power(values, b)
        for i in range(len(values)):
            colour[i, channel] = 1.0 - 2.0 * values[i]


@kernel
def power(values: np.ndarray, exponent: float) -> None:
    """Raise values to a power, in place."""
    for i in range(len(values)):
        values[i] = exp(exponent * log(values[i]))
