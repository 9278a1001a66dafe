"""Edge weights, self-loops and tie-breaks: the operations of the plain path, one edge at a time.

In float64, each operation on its own and in the same order, so that the bits are the same.
"""

import numpy as np

from spitgraph.contraction.graph import STEPS_PER_UNIT
from spitgraph.contraction.weights import DISTANCE_SCALE, WARD_SCALE
from spitgraph.kernels.cpu.jit import kernel, part

#: Similarities as the numbers that kernels know them by.
DISTANCE, WARD, COSINE = 0, 1, 2
CODES = {"distance": DISTANCE, "ward": WARD, "cosine": COSINE}

UNIT = 1.0 / STEPS_PER_UNIT
#: δ of two pixels side by side: 2 pixels, 3 the sum of the sides.
PIXEL_PAIR_FILL = 8 / 9
#: Multipliers of splitmix64's finaliser, and the shifts between them.
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)


@part
def priority(u: int, v: int) -> int:
    """Pseudo-random priority of the edge {u, v}, the same for both ends (METHOD 2.4)."""
    x = (np.uint64(min(u, v)) << _32) | np.uint64(max(u, v))
    x = (x ^ (x >> _30)) * _FIRST
    x = (x ^ (x >> _27)) * _SECOND
    return np.int64(x ^ (x >> _31))


@part
def blended(weight: float, fill: float, compactness: float) -> float:
    """λδ + (1 − λ)w (METHOD 2.3)."""
    return compactness * fill + (1.0 - compactness) * weight


@part
def box_fill(size: int, width: int, height: int) -> float:
    """δ = min(1, 4·size / (width + height)²) (METHOD 2.3)."""
    half_perimeter = np.float64(width + height)
    return min(1.0, np.float64(4 * size) / (half_perimeter * half_perimeter))


@kernel
def edge_weights(
    code: int,
    compactness: float,
    u: np.ndarray,
    v: np.ndarray,
    mean: np.ndarray,
    size: np.ndarray,
    box: np.ndarray,
    out: np.ndarray,
) -> None:
    """Weights of the edges between regions u[i] and v[i].

    Args:
        code: Of the similarity.
        compactness: λ.
        u: [k] uint32.
        v: [k] uint32.
        mean: [n, C] float64, features of the regions.
        size: [n] int32.
        box: [n, 4] int32, read if λ is not 0.
        out: [k] float64, written.
    """
    if code == COSINE:
        edge_cosine(u, v, mean, out)
    else:
        edge_distances(u, v, mean, out)
        if code == DISTANCE:
            for i in range(len(out)):
                out[i] = 1.0 / (1.0 + DISTANCE_SCALE * out[i])
        else:
            for i in range(len(out)):
                a, b = np.float64(size[u[i]]), np.float64(size[v[i]])
                out[i] = 1.0 / (1.0 + WARD_SCALE * ((a * b) / (a + b) * out[i]))
    if compactness != 0:
        for i in range(len(out)):
            a, b = box[u[i]], box[v[i]]
            width = max(a[2], b[2]) - min(a[0], b[0])
            height = max(a[3], b[3]) - min(a[1], b[1])
            fill = box_fill(size[u[i]] + size[v[i]], width, height)
            out[i] = blended(out[i], fill, compactness)


@kernel
def edge_distances(u: np.ndarray, v: np.ndarray, mean: np.ndarray, out: np.ndarray) -> None:
    """‖μ_u − μ_v‖², channels added in order."""
    if mean.shape[1] == 3:
        for i in range(len(out)):
            a, b = u[i], v[i]
            d0 = mean[a, 0] - mean[b, 0]
            d1 = mean[a, 1] - mean[b, 1]
            d2 = mean[a, 2] - mean[b, 2]
            out[i] = d0 * d0 + d1 * d1 + d2 * d2
    else:
        for i in range(len(out)):
            total = 0.0
            for c in range(mean.shape[1]):
                d = mean[u[i], c] - mean[v[i], c]
                total += d * d
            out[i] = total


@kernel
def edge_cosine(u: np.ndarray, v: np.ndarray, mean: np.ndarray, out: np.ndarray) -> None:
    """(1 + cos(μ_u, μ_v)) / 2; ½ where a mean is zero."""
    for i in range(len(out)):
        square_u = square_v = dot = 0.0
        for c in range(mean.shape[1]):
            a, b = mean[u[i], c], mean[v[i], c]
            square_u += a * a
            square_v += b * b
            dot += a * b
        out[i] = half_cosine(square_u, square_v, dot)


@part
def half_cosine(square_u: float, square_v: float, dot: float) -> float:
    """(1 + cos) / 2 from two squared lengths and the product."""
    length = np.sqrt(square_u) * np.sqrt(square_v)
    cos = dot / length if length > 0 else 0.0
    return min(1.0, max(0.0, (cos + 1.0) / 2.0))


@part
def self_loop(size: int, mean: float, deviation: float) -> float:
    """Weight of a region's self-loop (METHOD 2.2), without compactness."""
    z = (np.float64(size) - mean) / deviation
    return (min(0.75, max(-0.75, z)) + 1.0) / 2.0


@part
def pixel_scale(code: int) -> float:
    """What ‖a − b‖² of two pixels is multiplied with, in squared steps: w = 1 / (1 + scale·‖…‖²).

    Steps are powers of two, so that to scale them once, at the end, rounds to the same bits.
    """
    return UNIT * UNIT * (DISTANCE_SCALE if code == DISTANCE else WARD_SCALE * 0.5)


@kernel
def row_weights(
    code: int,
    compactness: float,
    steps: np.ndarray,
    first: int,
    second: int,
    out: np.ndarray,
) -> None:
    """Weights of the edges between pixels first + i and second + i, for every i of `out`."""
    if code == COSINE:
        row_cosine(steps, first, second, out)
    else:
        scale = pixel_scale(code)
        for i in range(len(out)):
            out[i] = 0.0
        for c in range(steps.shape[0]):
            a, b = steps[c, first : first + len(out)], steps[c, second : second + len(out)]
            for i in range(len(out)):
                d = np.float64(a[i]) - np.float64(b[i])
                out[i] += d * d
        for i in range(len(out)):
            out[i] = 1.0 / (1.0 + scale * out[i])
    if compactness != 0:
        for i in range(len(out)):
            out[i] = blended(out[i], PIXEL_PAIR_FILL, compactness)


@kernel
def row_cosine(steps: np.ndarray, first: int, second: int, out: np.ndarray) -> None:
    """`edge_cosine` of the pixels first + i and second + i."""
    for i in range(len(out)):
        square_u = square_v = dot = 0.0
        for c in range(steps.shape[0]):
            a, b = np.float64(steps[c, first + i]) * UNIT, np.float64(steps[c, second + i]) * UNIT
            square_u += a * a
            square_v += b * b
            dot += a * b
        out[i] = half_cosine(square_u, square_v, dot)
