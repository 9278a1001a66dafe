"""METHOD 2 in plain loops over the regions of one image: the specification, to be read first.

Whatever else contracts a graph is tested against this, step by step and bit by bit. Counts and sums
are integers, weights are IEEE doubles, computed one operation at a time in the order written here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from spitgraph import colour
from spitgraph.colour import STEPS_PER_UNIT
from spitgraph.contraction.weights import DISTANCE_SCALE, WARD_SCALE
from spitgraph.settings import Settings

#: The numbers of two regions that touch, the smaller first.
Edge = tuple[int, int]
#: x_min, y_min, x_max, y_max; max exclusive.
Box = tuple[int, int, int, int]


@dataclass
class Level:
    """G(t): the regions of one image, and who touches whom (METHOD 1).

    Attributes:
        sums: Of each region, its pixels' quantised features, summed channel by channel.
        size: Pixels of each region.
        box: The smallest upright box around each region.
        edges: Regions that touch, each pair once.
        number: t; at level 0 regions are pixels.
    """

    sums: list[list[int]]
    size: list[int]
    box: list[Box]
    edges: list[Edge] = field(default_factory=list)
    number: int = 0


def pixels(
    features_q: list[list[int]], height: int, width: int, edges: list[Edge] | None = None
) -> Level:
    """Level 0: every pixel is a region, which touches the next one and the one below (METHOD 1).

    Args:
        features_q: Quantised features of each pixel, row by row.
        height: H.
        width: W.
        edges: Who touches whom, if not as in a grid.
    """
    count = height * width
    if edges is None:
        right = [(p, p + 1) for p in range(count) if (p + 1) % width]
        edges = right + [(p, p + width) for p in range(count - width)]
    corner = [(p % width, p // width) for p in range(count)]
    return Level(features_q, [1] * count, [(x, y, x + 1, y + 1) for x, y in corner], edges)


# ---- what is compared ----------------------------------------------------------------------------


def quantised_lab(rgb: Sequence[float]) -> list[int]:
    """Lab of a pixel, its red, green and blue in [0, 1], in whole steps (METHOD 3.2)."""
    light = [interpolated(colour.LIGHT, level_of(value), colour.LEVEL_BITS) for value in rgb]
    lightness = []
    for row in colour.MATRIX.tolist():
        total = sum(weight * channel for weight, channel in zip(row, light, strict=True))
        place = shifted(total, colour.MATRIX_BITS)
        lightness.append(interpolated(colour.CURVE, place, colour.CURVE_BITS))
    x, y, z = lightness
    red_green = shifted(colour.RED_GREEN * (x - y), colour.CHROMA_BITS)
    blue_yellow = shifted(colour.BLUE_YELLOW * (y - z), colour.CHROMA_BITS)
    return [y, red_green, blue_yellow]


def level_of(value: float) -> int:
    """The nearest level, in single precision; 256 levels are a step of an 8-bit picture."""
    return int(np.float32(value) * np.float32(colour.LEVELS) + np.float32(0.5))


def interpolated(table: np.ndarray, place: int, bits: int) -> int:
    """What a table has at a place, whose lowest bits say how far it is to the next entry."""
    entry, beyond = divmod(place, 2**bits)
    low, high = table[entry : entry + 2].tolist()
    return low + shifted((high - low) * beyond, bits)


def shifted(number: int, bits: int) -> int:
    """The whole number nearest to a number with so many bits behind the point."""
    return (number + 2 ** (bits - 1)) >> bits


# ---- how strongly regions are drawn to each other and to themselves ------------------------------


def similarity(name: str, a: list[float], b: list[float], size_a: int, size_b: int) -> float:
    """How alike two regions of mean features a and b are, in [0, 1] (METHOD 2.1)."""
    if name == "cosine":
        length = math.sqrt(dot(a, a)) * math.sqrt(dot(b, b))
        cosine = dot(a, b) / length if length > 0 else 0.0
        return min(max((cosine + 1) / 2, 0.0), 1.0)
    difference = [x - y for x, y in zip(a, b, strict=True)]
    distance = dot(difference, difference)
    if name == "ward":
        pair_size = float(size_a) * float(size_b) / float(size_a + size_b)
        return 1 / (1 + WARD_SCALE * (pair_size * distance))
    return 1 / (1 + DISTANCE_SCALE * distance)


def dot(a: list[float], b: list[float]) -> float:
    """Σ aᵢbᵢ, channels added in order."""
    total = 0.0
    for x, y in zip(a, b, strict=True):
        total += x * y
    return total


def mean_features(sums: list[int], size: int) -> list[float]:
    """μ, in the unit of the features."""
    return [float(total) / float(size) / STEPS_PER_UNIT for total in sums]


def box_fill(size: int, box: Box) -> float:
    """δ, how much a region fills its box: 1 for a full square (METHOD 2.3)."""
    half_perimeter = float((box[2] - box[0]) + (box[3] - box[1]))
    return min(1.0, float(4 * size) / (half_perimeter * half_perimeter))


def blend(weight: float, fill: float, compactness: float) -> float:
    """λδ + (1 − λ)w (METHOD 2.3)."""
    return compactness * fill + (1 - compactness) * weight


def edge_weights(level: Level, settings: Settings) -> list[float]:
    """Weight of each edge (METHOD 2.1, 2.3)."""
    mean = [mean_features(*region) for region in zip(level.sums, level.size, strict=True)]
    weights = []
    for u, v in level.edges:
        alike = similarity(settings.similarity_name, mean[u], mean[v], level.size[u], level.size[v])
        fill = box_fill(level.size[u] + level.size[v], widen_box(level.box[u], level.box[v]))
        weights.append(blend(alike, fill, settings.compactness))
    return weights


def size_moments(sizes: list[int]) -> tuple[float, float]:
    """Mean and standard deviation of the region sizes (METHOD 2.2)."""
    count = float(len(sizes))
    mean = float(sum(sizes)) / count
    variance = float(sum(size * size for size in sizes)) / count - mean * mean
    return mean, math.sqrt(max(variance, 0.0))


def self_loop_weight(size: int, mean: float, deviation: float) -> float:
    """How far a region outgrew its peers, from −¾ to ¾ deviations, as [⅛, ⅞] (METHOD 2.2)."""
    return (min(max((size - mean) / deviation, -0.75), 0.75) + 1) / 2


def self_loop_weights(level: Level, settings: Settings) -> list[float]:
    """Weight of each region's self-loop, −∞ where it has none (METHOD 2.2, 2.3)."""
    mean, deviation = size_moments(level.size)
    weights = []
    for size, box in zip(level.size, level.box, strict=True):
        weight = -math.inf
        if size > 1 and deviation > 0:
            own = self_loop_weight(size, mean, deviation)
            weight = blend(own, box_fill(size, box), settings.compactness)
        weights.append(weight)
    return weights


# ---- which edges are contracted ------------------------------------------------------------------


def edge_priority(u: int, v: int) -> int:
    """Pseudo-random rank among edges of equal weight: splitmix64's finaliser (METHOD 2.4)."""
    x = (min(u, v) << 32) | max(u, v)
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    x = x ^ (x >> 31)
    return x if x < 2**63 else x - 2**64  # as a signed number


def strongest_edges(level: Level, weight: list[float]) -> dict[int, tuple[float, int, int]]:
    """Of each region that touches another: weight, priority, and the other end (METHOD 2.4)."""
    strongest: dict[int, tuple[float, int, int]] = {}
    for (u, v), w in zip(level.edges, weight, strict=True):
        for end, other in ((u, v), (v, u)):
            edge = (w, edge_priority(u, v), other)
            strongest[end] = max(strongest.get(end, edge), edge)
    return strongest


def choose(level: Level, settings: Settings, weight: list[float], loop: list[float]) -> list[int]:
    """The neighbour that each region merges with; itself where it waits (METHOD 2.4, 2.7).

    A region waits if its self-loop is stronger than every edge. On the way to an exact count,
    self-loops stand aside where fewer than half of the regions would merge.
    """
    neighbour = list(range(len(level.size)))
    strongest = strongest_edges(level, weight)
    merging = [v for v, (w, _, _) in strongest.items() if w >= loop[v]]
    if settings.num_tokens is not None and 2 * len(merging) < len(level.size):
        merging = list(strongest)
    for v in merging:
        neighbour[v] = strongest[v][2]
    return neighbour


def keep_strongest(
    level: Level, weight: list[float], neighbour: list[int], at_most: int
) -> list[int]:
    """The neighbours, if only so many of the chosen edges are contracted (METHOD 2.7)."""
    chosen = {(min(v, u), max(v, u)) for v, u in enumerate(neighbour) if v != u}
    ranked = [
        (w, edge_priority(*edge), edge)
        for edge, w in zip(level.edges, weight, strict=True)
        if edge in chosen
    ]
    kept = {edge for _, _, edge in sorted(ranked, reverse=True)[:at_most]}
    return [u if (min(v, u), max(v, u)) in kept else v for v, u in enumerate(neighbour)]


# ---- the regions of the next level ---------------------------------------------------------------


def find_roots(neighbour: list[int]) -> list[int]:
    """Where the way over neighbours ends: the first of two that chose each other (METHOD 2.4)."""
    roots = []
    for v in range(len(neighbour)):
        while neighbour[neighbour[v]] != v:
            v = neighbour[v]
        roots.append(min(v, neighbour[v]))
    return roots


def number_by_first(root: list[int]) -> list[int]:
    """New region of each old one, numbered in the order of their first pixels (METHOD 2.5)."""
    number: dict[int, int] = {}
    return [number.setdefault(r, len(number)) for r in root]


def find_clusters(level: Level, neighbour: list[int]) -> list[int]:
    """New region of each old one: a tree of chosen edges (METHOD 2.5)."""
    return number_by_first(find_roots(neighbour))


def pool(level: Level, cluster: list[int]) -> tuple[list[list[int]], list[int]]:
    """Feature sums and sizes of the new regions (METHOD 2.5)."""
    sums = [[0] * len(level.sums[0]) for _ in range(max(cluster) + 1)]
    size = [0] * len(sums)
    for old, new in enumerate(cluster):
        size[new] += level.size[old]
        for channel, value in enumerate(level.sums[old]):
            sums[new][channel] += value
    return sums, size


def widen_box(box: Box, other: Box) -> Box:
    """The smallest box around two (METHOD 2.3, 2.5)."""
    x_min, y_min = min(box[0], other[0]), min(box[1], other[1])
    return x_min, y_min, max(box[2], other[2]), max(box[3], other[3])


def pool_boxes(level: Level, cluster: list[int]) -> list[Box]:
    """Boxes of the new regions (METHOD 2.5)."""
    boxes: dict[int, Box] = {}
    for box, new in zip(level.box, cluster, strict=True):
        boxes[new] = widen_box(boxes.get(new, box), box)
    return [boxes[new] for new in range(len(boxes))]


def merge_edges(level: Level, cluster: list[int]) -> list[Edge]:
    """Edges between new regions, each once and sorted (METHOD 2.5)."""
    ends = [(cluster[u], cluster[v]) for u, v in level.edges]
    return sorted({(min(u, v), max(u, v)) for u, v in ends if u != v})


# ---- level by level ------------------------------------------------------------------------------


def is_done(level: Level, settings: Settings) -> bool:
    """Whether this level is the last (METHOD 2.6, 2.7)."""
    if settings.num_tokens is None:
        return level.number >= settings.levels
    return len(level.size) <= settings.num_tokens


def contract_once(level: Level, settings: Settings) -> tuple[Level, list[int]]:
    """G(t) → G(t+1): the new level, and the new region of each old one (METHOD 2)."""
    weight = edge_weights(level, settings)
    neighbour = choose(level, settings, weight, self_loop_weights(level, settings))
    if settings.num_tokens is not None:
        surplus = len(level.size) - settings.num_tokens
        neighbour = keep_strongest(level, weight, neighbour, surplus)
    cluster = find_clusters(level, neighbour)
    sums, size = pool(level, cluster)
    boxes, edges = pool_boxes(level, cluster), merge_edges(level, cluster)
    return Level(sums, size, boxes, edges, level.number + 1), cluster


def contract(level: Level, settings: Settings) -> list[list[int]]:
    """The hierarchy: for every level, the new region of each old one (METHOD 2.6, 2.7).

    Args:
        level: Level 0: see `pixels`.
        settings: How far, and how.

    Raises:
        ValueError: The graph has more than `num_tokens` connected parts.
    """
    parents = []
    while not is_done(level, settings):
        pooled, parent = contract_once(level, settings)
        if settings.num_tokens is not None and len(pooled.size) == len(level.size):
            raise ValueError(
                f"{len(level.size)} unconnected parts cannot be contracted to {settings.num_tokens}"
            )
        parents.append(parent)
        level = pooled
    return parents
