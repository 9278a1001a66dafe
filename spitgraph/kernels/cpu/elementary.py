"""exp and log without branches and calls: the compiler works on many values at once.

Integer arithmetic on the bits of a float replaces scaling by powers of two.
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from spitgraph.kernels.cpu.jit import kernel, llvm

#: Adding and subtracting this rounds to a whole number, which is then in the lowest bits.
_ROUND = 1.5 * 2.0**52

_LOG2_E = 1 / math.log(2)
#: ln 2 in two parts, of which multiples of the first are exact.
_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
_MANTISSA = np.int64((1 << 52) - 1)
_SQRT_HALF = np.float64(math.sqrt(0.5)).view(np.int64)
_ONE = np.float64(1).view(np.int64)


def _fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return a(a, a, a), generate


def fused_multiply_add(a: Any, b: Any, c: Any) -> Any:
    """a·b + c, rounded once: of doubles, or of numbers and arrays in single precision."""
    if isinstance(a, float):
        return np.float64(_fma_of_double(a, b, c))
    return _fma_of_single(*np.broadcast_arrays(a, b, c))[()]


fma = llvm(_fma)(fused_multiply_add)


def _fma_of_double(a: float, b: float, c: float) -> float:
    """In exact arithmetic, whose result Python rounds correctly."""
    if not math.isfinite(a) or not math.isfinite(b):
        return a * b + c
    if not math.isfinite(c):
        return c
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    try:
        return float(exact) if exact else a * b + c  # which has the sign of 0
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def _fma_of_single(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """In double precision, where the product is exact.

    There the sum is rounded to odd: it can then be rounded once more without harm.
    """
    product = np.multiply(a, b, dtype=np.float64)
    total = product + c
    part = total - product
    error = (product - (total - part)) + (c - part)  # exactly what rounding lost
    is_even = (total.view(np.int64) & 1) == 0
    towards = np.nextafter(total, np.where(error > 0, np.inf, -np.inf))
    is_off = np.isfinite(total) & (error != 0) & is_even
    return np.where(is_off, towards, total).astype(np.float32)


@kernel
def exp(x: float) -> float:
    """Exponential of |x| ≤ 700, relatively to 1e-11."""
    rounded = fma(x, _LOG2_E, _ROUND)
    n = rounded - _ROUND
    r = fma(n, -_LN2_LOW, fma(n, -_LN2_HIGH, x))
    p = fma(fma(fma(r, 1 / 362880, 1 / 40320), r, 1 / 5040), r, 1 / 720)
    p = fma(fma(fma(p, r, 1 / 120), r, 1 / 24), r, 1 / 6)
    p = fma(fma(fma(p, r, 0.5), r, 1.0), r, 1.0)
    bits = np.float64(p).view(np.int64) + (np.float64(rounded).view(np.int64) << np.int64(52))
    return np.int64(bits).view(np.float64)


@kernel
def log(x: float) -> float:
    """Logarithm of x ≥ 0 to the last bits, by the method of fdlibm; −709 at 0."""
    bits = np.float64(x).view(np.int64) + (_ONE - _SQRT_HALF)
    k = np.float64((bits >> np.int64(52)) - np.int64(1023))
    m = np.int64((bits & _MANTISSA) + _SQRT_HALF).view(np.float64)  # in [√½, √2)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    p = fma(z, 1.479819860511658591e-01, 1.531383769920937332e-01)
    p = fma(fma(p, z, 1.818357216161805012e-01), z, 2.222219843214978396e-01)
    p = fma(fma(p, z, 2.857142874366239149e-01), z, 3.999999999940941908e-01)
    p = fma(p, z, 6.666666666666735130e-01) * z
    half = 0.5 * f * f
    return k * _LN2_HIGH - ((half - (s * (half + p) + k * _LN2_LOW)) - f)
