"""Edge weights, self-loops and tie-breaks (METHOD 2.1–2.4), each a scalar function.

In float64, each operation on its own and in the order of the plain path, so that the bits are the
same. Loops over pixels and edges call the scalars, which become part of them: so a formula stands
once, and a new similarity is a code and a branch of `similarity`.
"""

import numpy as np

from spitgraph.colour import STEPS_PER_UNIT
from spitgraph.contraction.weights import DISTANCE_SCALE, WARD_SCALE
from spitgraph.kernels.cpu.jit import kernel, part

#: Features of one region: an array, or a tuple where C is known, for which loops over channels
#: vanish and those around can be vectorised.
Vector = np.ndarray | tuple[float, ...]

#: Similarities as the numbers that kernels know them by.
DISTANCE, WARD, COSINE = 0, 1, 2
CODES = {"distance": DISTANCE, "ward": WARD, "cosine": COSINE}

UNIT = 1.0 / STEPS_PER_UNIT
#: δ of two pixels side by side: 4·2 pixels over (2 + 1)².
PIXEL_PAIR_FILL = 8 / 9
#: Below every weight: that of an edge which is not there.
NO_EDGE = -1.0
#: Multipliers of splitmix64's finaliser, and the shifts between them.
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)


@part
def squared_distance(a: Vector, b: Vector) -> float:
    """‖a − b‖², channels added in order."""
    total = 0.0
    for c in range(len(a)):
        difference = a[c] - b[c]
        total += difference * difference
    return total


@part
def half_cosine(a: Vector, b: Vector) -> float:
    """(1 + cos(a, b)) / 2, channels added in order; ½ where one of them is zero."""
    square_a = square_b = dot = 0.0
    for c in range(len(a)):
        square_a += a[c] * a[c]
        square_b += b[c] * b[c]
        dot += a[c] * b[c]
    length = np.sqrt(square_a) * np.sqrt(square_b)
    cos = dot / length if length > 0 else 0.0
    return min(1.0, max(0.0, (cos + 1.0) / 2.0))


@part
def similarity(code: int, a: Vector, b: Vector, size_a: float, size_b: float) -> float:
    """How alike two regions are, in [0, 1] (METHOD 2.1).

    Args:
        code: Of the similarity.
        a: [C] float64, mean features of the one.
        b: Of the other.
        size_a: Pixels of the one.
        size_b: Of the other.
    """
    if code == COSINE:
        return half_cosine(a, b)
    distance = squared_distance(a, b)
    if code == WARD:
        return 1.0 / (1.0 + WARD_SCALE * ((size_a * size_b) / (size_a + size_b) * distance))
    return 1.0 / (1.0 + DISTANCE_SCALE * distance)


@part
def box_fill(size: int, width: int, height: int) -> float:
    """δ = min(1, 4·size / (width + height)²) (METHOD 2.3)."""
    half_perimeter = np.float64(width + height)
    return min(1.0, np.float64(4 * size) / (half_perimeter * half_perimeter))


@part
def pair_fill(u: int, v: int, size: np.ndarray, box: np.ndarray) -> float:
    """δ of two regions together."""
    width = max(box[u, 2], box[v, 2]) - min(box[u, 0], box[v, 0])
    height = max(box[u, 3], box[v, 3]) - min(box[u, 1], box[v, 1])
    return box_fill(size[u] + size[v], width, height)


@part
def blend(weight: float, fill: float, compactness: float) -> float:
    """λδ + (1 − λ)w (METHOD 2.3)."""
    return compactness * fill + (1.0 - compactness) * weight


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
    if mean.shape[1] == 3:
        for i in range(len(out)):
            a, b = u[i], v[i]
            of_a = mean[a, 0], mean[a, 1], mean[a, 2]
            of_b = mean[b, 0], mean[b, 1], mean[b, 2]
            out[i] = similarity(code, of_a, of_b, np.float64(size[a]), np.float64(size[b]))
    else:
        for i in range(len(out)):
            a, b = u[i], v[i]
            out[i] = similarity(code, mean[a], mean[b], np.float64(size[a]), np.float64(size[b]))
    if compactness != 0:
        for i in range(len(out)):
            out[i] = blend(out[i], pair_fill(u[i], v[i], size, box), compactness)


@part
def row_weights(
    code: int, compactness: float, a: np.ndarray, b: np.ndarray, shift: int, out: np.ndarray
) -> None:
    """Weights of the edges between the pixels x of one row and x + shift of another.

    Args:
        code: Of the similarity.
        compactness: λ.
        a: [C, W] float64, features of the one row.
        b: [C, W] float64, features of the other.
        shift: How much further right the other pixel is.
        out: [≥ W − shift] float64, written.
    """
    # a kernel each: in a larger one, Numba counts references to every row, which costs more
    if len(a) == 3:
        row_similarities_of_3(code, a, b, shift, out)
    elif len(a) == 4:
        row_similarities_of_4(code, a, b, shift, out)
    else:
        row_similarities(code, a, b, shift, out)
    if compactness != 0:
        for x in range(a.shape[1] - shift):
            out[x] = blend(out[x], PIXEL_PAIR_FILL, compactness)


@kernel
def row_similarities_of_3(
    code: int, a: np.ndarray, b: np.ndarray, shift: int, out: np.ndarray
) -> None:
    """`row_similarities` of three channels, many pixels at a time."""
    a0, a1, a2 = a[0], a[1], a[2]
    b0, b1, b2 = b[0, shift:], b[1, shift:], b[2, shift:]
    for x in range(a.shape[1] - shift):
        out[x] = similarity(code, (a0[x], a1[x], a2[x]), (b0[x], b1[x], b2[x]), 1.0, 1.0)


@kernel
def row_similarities_of_4(
    code: int, a: np.ndarray, b: np.ndarray, shift: int, out: np.ndarray
) -> None:
    """`row_similarities` of four channels, many pixels at a time."""
    a0, a1, a2, a3 = a[0], a[1], a[2], a[3]
    b0, b1, b2, b3 = b[0, shift:], b[1, shift:], b[2, shift:], b[3, shift:]
    for x in range(a.shape[1] - shift):
        of_a, of_b = (a0[x], a1[x], a2[x], a3[x]), (b0[x], b1[x], b2[x], b3[x])
        out[x] = similarity(code, of_a, of_b, 1.0, 1.0)


@kernel
def row_similarities(code: int, a: np.ndarray, b: np.ndarray, shift: int, out: np.ndarray) -> None:
    """Similarities of the pixels x of one row and x + shift of another, of any channels."""
    for x in range(a.shape[1] - shift):
        out[x] = similarity(code, a[:, x], b[:, x + shift], 1.0, 1.0)


@kernel
def size_moments(num_pixels: int, squared_sizes: int, count: int) -> tuple[float, float]:
    """Mean and standard deviation of the sizes of `count` regions (METHOD 2.2)."""
    mean = np.float64(num_pixels) / np.float64(count)
    variance = np.float64(squared_sizes) / np.float64(count) - mean * mean
    return mean, np.sqrt(max(variance, 0.0))


@part
def self_loop_weight(
    v: int,
    size: np.ndarray,
    box: np.ndarray,
    mean_size: float,
    deviation: float,
    compactness: float,
) -> float:
    """Weight of the self-loop of region v (METHOD 2.2, 2.3), where the deviation is not 0."""
    z = (np.float64(size[v]) - mean_size) / deviation
    weight = (min(0.75, max(-0.75, z)) + 1.0) / 2.0
    if compactness != 0:
        fill = box_fill(size[v], box[v, 2] - box[v, 0], box[v, 3] - box[v, 1])
        weight = blend(weight, fill, compactness)
    return weight


@part
def edge_priority(u: int, v: int) -> int:
    """Pseudo-random priority of the edge {u, v}, the same for both ends (METHOD 2.4)."""
    x = (np.uint64(min(u, v)) << _32) | np.uint64(max(u, v))
    x = (x ^ (x >> _30)) * _FIRST
    x = (x ^ (x >> _27)) * _SECOND
    return np.int64(x ^ (x >> _31))
