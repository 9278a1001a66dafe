"""The fine rule in plain loops over one image (METHOD 10): the specification, to be read first.

Counts and sums are integers, costs are IEEE doubles, computed one operation at a time in the order
written here. Whatever else makes fine partitions is tested against this, step by step.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from spitgraph.contraction.fine import rule
from spitgraph.contraction.naive import edge_priority, find_roots, number_by_first

#: The numbers of two regions that touch, the smaller first.
Edge = tuple[int, int]
#: Region of each pixel, row by row.
Labels = list[int]


@dataclass
class Level:
    """Regions of one image, and who touches whom.

    Attributes:
        sums: Of each region, its pixels' features in whole steps, summed channel by channel.
        squares: Of each region, Σ over its pixels of their squared features, weighted.
        size: Pixels of each region.
        length: Of each pair that touches, how many pixel sides they share.
        evidence: Of each such pair, how different the pixels are on either side, summed.
    """

    sums: list[list[int]]
    squares: list[int]
    size: list[int]
    length: dict[Edge, int] = field(default_factory=dict)
    evidence: dict[Edge, int] = field(default_factory=dict)


def pixel_level(features_q: list[list[int]], weights: Sequence[int], width: int) -> Level:
    """Every pixel is a region.

    Args:
        features_q: Features of each pixel in whole steps, row by row.
        weights: What each channel counts.
        width: W.
    """
    pixels = range(len(features_q))
    patches = patch_sums(features_q, width)
    squares = [sum(w * x * x for w, x in zip(weights, f, strict=True)) for f in features_q]
    level = Level(features_q, squares, [1] * len(features_q))
    for p in pixels:
        for beside in ([p + 1] if (p + 1) % width else []) + [p + width]:
            if beside in pixels:
                level.length[p, beside] = 1
                level.evidence[p, beside] = difference(patches, width, p, beside)
    return level


def clamped(p: int, dy: int, dx: int, width: int, num_pixels: int) -> int:
    """The pixel so far from another, or the nearest to it of the image."""
    y, x = divmod(p, width)
    y, x = min(max(y + dy, 0), num_pixels // width - 1), min(max(x + dx, 0), width - 1)
    return y * width + x


def patch_sums(features_q: list[list[int]], width: int) -> list[list[int]]:
    """Features summed over the 3 × 3 pixels around each; borders are repeated."""
    around = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return [
        [
            sum(values)
            for values in zip(
                *(features_q[clamped(p, *by, width, len(features_q))] for by in around),
                strict=True,
            )
        ]
        for p in range(len(features_q))
    ]


def smoothed(features_q: list[list[int]], width: int) -> list[list[int]]:
    """Means of the 3 × 3 pixels around each, to the nearest whole step (METHOD 10.4)."""
    more = rule.MIDDLE_EXTRA
    return [
        [(total + more * x + (9 + more) // 2) // (9 + more) for total, x in zip(*both, strict=True)]
        for both in zip(patch_sums(features_q, width), features_q, strict=True)
    ]


def difference(patches: list[list[int]], width: int, p: int, q: int) -> int:
    """How different the 3 × 3 pixels on either side of a common side are (METHOD 10.1).

    They are those around the pixel before p and the one behind q; the distance of their summed
    features, to the nearest whole step.
    """
    step = (0, 1) if q == p + 1 and q % width else (1, 0)
    before = patches[clamped(p, -step[0], -step[1], width, len(patches))]
    behind = patches[clamped(q, *step, width, len(patches))]
    square = sum((x - y) ** 2 for x, y in zip(before, behind, strict=True))
    return round(math.sqrt(float(square)))


# ---- what merging costs --------------------------------------------------------------------------


def means(sums: list[int], size: int) -> list[float]:
    """Mean features of a region."""
    return [float(total) / float(size) for total in sums]


def squared_distance(a: list[float], b: list[float], weights: Sequence[int]) -> float:
    """‖a − b‖², weighted; channels added in order."""
    total = 0.0
    for w, x, y in zip(weights, a, b, strict=True):
        total += float(w) * ((x - y) * (x - y))
    return total


def variation(level: Level, region: int, weights: Sequence[int]) -> float:
    """Σ over a region's pixels of their squared distance from the mean; not below 0."""
    total = 0.0
    for w, x in zip(weights, means(level.sums[region], level.size[region]), strict=True):
        total += float(w) * (x * x)
    return max(0.0, float(level.squares[region]) - total * float(level.size[region]))


def merge_cost(level: Level, edge: Edge, weights: Sequence[int]) -> float:
    """What it costs to merge two regions (METHOD 10.2)."""
    u, v = edge
    a, b = float(level.size[u]), float(level.size[v])
    s = a + b
    q = a * b / s
    mean_u, mean_v = means(level.sums[u], level.size[u]), means(level.sums[v], level.size[v])
    d = squared_distance(mean_u, mean_v, weights) + rule.DISTANCE_FLOOR
    length = float(level.length[edge])
    per_side = float(level.evidence[edge]) / length
    e = per_side * per_side + rule.EVIDENCE_FLOOR
    within = (variation(level, u, weights) + variation(level, v, weights)) / s + rule.VARIANCE_FLOOR
    q3 = q * q * q
    shape = math.sqrt(min(a, b) / (length * length * length * within))
    return q3 * q3 * s * (d * d * d) * e * shape


# ---- which pairs merge ---------------------------------------------------------------------------


def cheapest(cost: dict[Edge, float], regions: int) -> list[int]:
    """The neighbour that each region is cheapest to merge with, itself if it has none.

    Of equally cheap edges the one of highest priority (METHOD 2.4).
    """
    best: dict[int, tuple[float, int, int]] = {}
    for (u, v), c in cost.items():
        for end, other in ((u, v), (v, u)):
            rank = (-c, edge_priority(u, v), other)
            best[end] = max(best.get(end, rank), rank)
    return [best[v][2] if v in best else v for v in range(regions)]


def threshold(best: list[float]) -> float:
    """The cost that a share of the finite ones do not exceed: an order statistic."""
    of, out_of = rule.SHARE
    count = sum(cost < math.inf for cost in best)
    return sorted(best)[max(-(-of * count // out_of) - 1, 0)]


def choose(cost: dict[Edge, float], num_pixels: int, regions: int, target: int) -> list[int]:
    """The neighbour that each region merges with; itself where it waits (METHOD 10.3)."""
    neighbour = cheapest(cost, regions)
    if num_pixels < rule.LEAST_MEAN_SIZE * regions:
        return neighbour
    best = [cost[min(v, u), max(v, u)] if u != v else math.inf for v, u in enumerate(neighbour)]
    limit = threshold(best) if regions <= rule.FEW * target else math.inf
    return [u if neighbour[u] == v and best[v] <= limit else v for v, u in enumerate(neighbour)]


def keep_cheapest(cost: dict[Edge, float], neighbour: list[int], at_most: int) -> list[int]:
    """The neighbours, if only so many of the chosen edges are contracted (METHOD 2.7)."""
    chosen = {(min(v, u), max(v, u)) for v, u in enumerate(neighbour) if v != u}
    ranked = sorted((-cost[edge], edge_priority(*edge), edge) for edge in chosen)
    kept = {edge for _, _, edge in ranked[::-1][:at_most]}
    return [u if (min(v, u), max(v, u)) in kept else v for v, u in enumerate(neighbour)]


# ---- the regions of the next level ---------------------------------------------------------------


def pool(level: Level, cluster: list[int]) -> Level:
    """The regions that clusters of regions become, and who touches whom then."""
    count, channels = max(cluster) + 1, len(level.sums[0])
    pooled = Level([[0] * channels for _ in range(count)], [0] * count, [0] * count)
    for old, new in enumerate(cluster):
        pooled.size[new] += level.size[old]
        pooled.squares[new] += level.squares[old]
        for channel, value in enumerate(level.sums[old]):
            pooled.sums[new][channel] += value
    for (u, v), length in level.length.items():
        a, b = cluster[u], cluster[v]
        if a != b:
            edge = min(a, b), max(a, b)
            pooled.length[edge] = pooled.length.get(edge, 0) + length
            pooled.evidence[edge] = pooled.evidence.get(edge, 0) + level.evidence[u, v]
    return pooled


def merged(level: Level, weights: Sequence[int], target: int) -> list[int]:
    """One round on the way to `target` regions: the new region of each old one."""
    cost = {edge: merge_cost(level, edge, weights) for edge in level.length}
    neighbour = choose(cost, sum(level.size), len(level.size), target)
    neighbour = keep_cheapest(cost, neighbour, len(level.size) - target)
    return number_by_first(find_roots(neighbour))


# ---- pixels on borders change sides --------------------------------------------------------------


def ring(label: Labels, width: int, pixel: int) -> list[int]:
    """Regions of a pixel's eight neighbours; −1 outside the image."""
    y, x = divmod(pixel, width)
    around = [(y + dy, x + dx) for dy, dx in rule.RING]
    return [
        label[v * width + u] if 0 <= u < width and 0 <= v * width < len(label) else -1
        for v, u in around
    ]


def destination(
    level: Level,
    around: list[int],
    region: int,
    feature: list[int],
    weights: Sequence[int],
) -> int:
    """The region that a pixel moves to; its own, where it stays.

    What it adds to the variation of a region that it joins, and takes from that of its own, are
    compared; of equally good regions the first around the pixel.
    """

    def cost(r: int, share: float) -> float:
        mean = means(level.sums[r], level.size[r])
        distance = squared_distance([float(x) for x in feature], mean, weights)
        return share * distance

    size = float(level.size[region])
    is_own = sum(1 << k for k, r in enumerate(around) if r == region)
    if size == 1 or not rule.SIMPLE[is_own]:
        return region
    best = cost(region, size / (size - 1))
    chosen = region
    for r in around[::2]:
        if r not in (-1, region):
            new = cost(r, float(level.size[r]) / (float(level.size[r]) + 1))
            if new < best:
                best, chosen = new, r
    return chosen


def refine_phase(
    level: Level,
    label: Labels,
    features_q: list[list[int]],
    width: int,
    pixels: list[int],
    weights: Sequence[int],
) -> list[int]:
    """Let pixels, of which none are neighbours, change sides; those that did.

    Args:
        level: Of which sizes and sums follow the moves, when all are known.
        label: Changed.
        features_q: Of each pixel.
        width: W.
        pixels: Which.
        weights: What each channel counts.
    """
    moves = {}
    for p in pixels:
        around = ring(label, width, p)
        to = destination(level, around, label[p], features_q[p], weights)
        if to != label[p]:
            moves[p] = to
    for p, to in moves.items():
        level.size[label[p]] -= 1
        level.size[to] += 1
        for channel, x in enumerate(features_q[p]):
            level.sums[label[p]][channel] -= x
            level.sums[to][channel] += x
        label[p] = to
    return list(moves)


def refine(
    label: Labels,
    features_q: list[list[int]],
    width: int,
    weights: Sequence[int],
    passes: int,
) -> Labels:
    """Labels of connected regions whose border pixels have changed sides (METHOD 10.4).

    A pass has four phases, of the pixels at (y mod 2, x mod 2). After the first pass only those
    pixels are looked at that have moved in the pass before or since, or a neighbour across a side.
    """
    label = list(label)
    pixels = range(len(label))
    level = pool(Level(features_q, [0] * len(label), [1] * len(label)), label)
    waiting = set(pixels)
    for _ in range(passes):
        looked_at, waiting = waiting, set()
        for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
            own = [
                p for p in pixels if p in looked_at and (p // width % 2, p % width % 2) == corner
            ]
            for p in refine_phase(level, label, features_q, width, own, weights):
                y, x = divmod(p, width)
                near = {
                    (y + dy) * width + x + dx
                    for dy, dx in ((0, 0), *rule.RING[::2])
                    if 0 <= x + dx < width and 0 <= (y + dy) * width < len(label)
                }
                looked_at |= near
                waiting |= near
    return label


# ---- all together --------------------------------------------------------------------------------


def meet(fine: Labels, coarse: Labels, width: int) -> Labels:
    """Connected parts of what two partitions have in common, by first pixels (METHOD 10.5)."""
    root = list(range(len(fine)))

    def find(p: int) -> int:
        while root[p] != p:
            p = root[p]
        return p

    for p in range(len(fine)):
        for beside in ([p + 1] if (p + 1) % width else []) + [p + width]:
            if beside < len(fine) and (fine[p], coarse[p]) == (fine[beside], coarse[beside]):
                a, b = find(p), find(beside)
                root[max(a, b)] = min(a, b)
    return number_by_first([find(p) for p in range(len(fine))])


def partitions(
    features_q: list[list[int]],
    width: int,
    num_regions: int,
    merge_weights: Sequence[int],
    refine_weights: Sequence[int],
) -> list[Labels]:
    """Partitions on the way to `num_regions`, not yet nested: the last is the result.

    Kept are those after each round in which all regions merge, and after each refinement.
    """
    pixels = pixel_level(features_q, merge_weights, width)
    smooth = smoothed(features_q, width)
    label, kept = list(range(len(features_q))), []
    for halves, smooth_passes, passes in rule.SCHEDULE:
        target = halves * num_regions // 2
        level = pool(pixels, label)
        while len(level.size) > target:
            all_merge = len(label) < rule.LEAST_MEAN_SIZE * len(level.size)
            cluster = merged(level, merge_weights, target)
            level, label = pool(level, cluster), [cluster[r] for r in label]
            if all_merge and len(level.size) > target:
                kept.append(label)
        if len(level.size) < len(label):
            label = refine(label, smooth, width, refine_weights, smooth_passes)
            label = refine(label, features_q, width, refine_weights, passes)
            kept.append(label)
    return kept


def nested(kept: list[Labels], width: int) -> list[Labels]:
    """The partitions made to nest: from the last one on, each met with the next; no repeats."""
    chain = kept[-1:]
    for label in reversed(kept[:-1]):
        common = meet(label, chain[0], width)
        if max(common) > max(chain[0]):
            chain.insert(0, common)
    return chain
