"""Strongest edge of every pixel by distances, where weights fall with them (METHOD 2.4 at level 0).

Distances in single precision say of most pixels which neighbour is the nearest, many pixels at a
time. Of pixels with several neighbours about as near, weights decide.

This gives what weights alone give. Features are whole steps of at most `MOST_STEPS`, so differences
are exact in single precision, and squared distances D are in double. In single precision, D is off
by less than 2⁻²² of it: of two that differ by more than `SLACK`, D₂ is at least D₁·(1 + 2⁻²²), and
at least D₁ + 1, being whole. Weights are 1 / (1 + x), where x is D·2⁻⁴⁰ or 12 times that, below
2¹⁴. As x₂ − x₁ is at least 2⁻⁴⁰, and at least x₁·2⁻²², weights fall by more than 2⁻⁴² of them, and
by more than 2⁻⁴³. Being rounded three times moves each by less than 2⁻⁵¹. Compactness of at most
`MOST_COMPACT` leaves a sixteenth of the difference, and rounds twice more, by less than 2⁻⁵³ each.
"""

import numpy as np

from spitgraph.contraction.cpu.grid import (
    DOWN,
    LEFT,
    LOWEST,
    RIGHT,
    UP,
    columns_in_question,
    neighbour_offset,
)
from spitgraph.contraction.cpu.weights import (
    COSINE,
    NO_EDGE,
    PIXEL_PAIR_FILL,
    UNIT,
    blend,
    edge_priority,
    similarity,
)
from spitgraph.kernels.cpu.jit import kernel, part

#: Up to which features, and up to which λ, distances serve.
MOST_STEPS, MOST_COMPACT = 2**23, 1 - 2**-4
SLACK = np.float32(1 + 2**-20)
#: Distance to a neighbour that is not there.
FAR = np.float32(np.inf)


@part
def distances_serve(code: int, compactness: float) -> bool:
    """Whether weights fall with the distance of two pixels: of three features within `MOST_STEPS`.

    Args:
        code: Of the similarity.
        compactness: λ.
    """
    return code != COSINE and compactness <= MOST_COMPACT


@kernel
def choose_nearest(
    features_q: np.ndarray,
    origin: int,
    height: int,
    width: int,
    code: int,
    compactness: float,
    begin: int,
    end: int,
    direction: np.ndarray,
) -> None:
    """The same as `choose_directions`, of [3, …] features for which `distances_serve`."""
    if height * width == 1:
        direction[0] = 0
        return
    across = np.empty(width + 1, np.float32)  # [x] lies left of pixel x, [x + 1] right of it
    across[:] = FAR
    left, right = across[:width], across[1:]
    above, below = np.empty(width, np.float32), np.empty(width, np.float32)
    below[:] = FAR
    columns = np.empty(width, np.uint32)
    for row in range(max(begin - width, 0), end, width):
        above, below = below, above
        first = row - origin
        if row + width == height * width:
            below[:] = FAR
        else:
            squared_distances(features_q, first, first + width, below)
        if row >= begin:
            squared_distances(features_q, first, first + 1, right[: width - 1])
            here = direction[row - begin : row - begin + width]
            if point_to_nearest(left, right, above, below, here):
                for k in range(columns_in_question(here, columns)):
                    x = np.int64(columns[k])
                    here[x] = strongest_of(
                        here[x], row + x, origin, width, features_q, code, compactness
                    )


@kernel
def squared_distances(features_q: np.ndarray, first: int, second: int, out: np.ndarray) -> None:
    """Distances of as many pixels as `out` has from `first` on to those from `second` on."""
    a0, a1, a2 = features_q[0, first:], features_q[1, first:], features_q[2, first:]
    b0, b1, b2 = features_q[0, second:], features_q[1, second:], features_q[2, second:]
    for x in range(len(out)):
        d0 = np.float32(np.int32(a0[x] - b0[x]))
        d1 = np.float32(np.int32(a1[x] - b1[x]))
        d2 = np.float32(np.int32(a2[x] - b2[x]))
        out[x] = d0 * d0 + d1 * d1 + d2 * d2


@kernel
def point_to_nearest(
    left: np.ndarray, right: np.ndarray, above: np.ndarray, below: np.ndarray, here: np.ndarray
) -> bool:
    """Directions of the nearest neighbours of a row's pixels; whether some may have several."""
    for x in range(len(here)):
        nearest = min(min(left[x], right[x]), min(above[x], below[x]))
        limit = nearest * SLACK
        here[x] = (
            (left[x] <= limit) * LEFT
            + (right[x] <= limit) * RIGHT
            + (above[x] <= limit) * UP
            + (below[x] <= limit) * DOWN
        )
    several = np.uint8(0)
    for x in range(len(here)):
        several = np.uint8(several | np.uint8(here[x] & np.uint8(here[x] - np.uint8(1))))
    return several != 0


@part
def strongest_of(
    directions: int,
    p: int,
    origin: int,
    width: int,
    features_q: np.ndarray,
    code: int,
    compactness: float,
) -> int:
    """Of several directions of pixel p, that of the strongest edge, by weight, then priority."""
    chosen, strongest, highest = np.uint8(0), NO_EDGE, LOWEST
    for bit in range(4):
        direction = np.uint8(1 << bit)
        if directions & direction:
            q = p + neighbour_offset(direction, width)
            weight = pixel_weight(features_q, p - origin, q - origin, code, compactness)
            priority = edge_priority(p, q)
            if weight > strongest or (weight == strongest and priority > highest):
                chosen, strongest, highest = direction, weight, priority
    return chosen


@part
def pixel_weight(features_q: np.ndarray, p: int, q: int, code: int, compactness: float) -> float:
    """Weight of the edge between the pixels whose features are at p and q."""
    weight = similarity(code, features_of(features_q, p), features_of(features_q, q), 1.0, 1.0)
    return blend(weight, PIXEL_PAIR_FILL, compactness) if compactness != 0 else weight


@part
def features_of(features_q: np.ndarray, p: int) -> tuple[float, float, float]:
    """Three features, exact in float64."""
    return (
        np.float64(features_q[0, p]) * UNIT,
        np.float64(features_q[1, p]) * UNIT,
        np.float64(features_q[2, p]) * UNIT,
    )
