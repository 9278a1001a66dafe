"""Weights of edges and self-loops; compare `spitgraph.contraction.weights`.

The same operations on float64 in the same order, none of them fused: the same bits. Weights are not
negative, so their bits, read as int64, are ordered as they are. An atomic maximum finds the best.

A new similarity is one more case of `similarity`.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs

from dataclasses import dataclass

import torch
import triton.language as tl
from jaxtyping import Float64, Int32, Int64
from torch import Tensor

from spitgraph.colour import STEPS_PER_UNIT
from spitgraph.contraction.cuda.connect import load_ends
from spitgraph.contraction.cuda.level import Level
from spitgraph.contraction.cuda.rows import NO_PRIORITY, NO_WEIGHT
from spitgraph.contraction.weights import DISTANCE_SCALE, WARD_SCALE
from spitgraph.kernels.cuda.jit import kernel, launch
from spitgraph.kernels.cuda.programs import HEIGHT, WIDTH, own_elements, own_row

#: Dividing by a power of two and multiplying by its inverse give the same bits.
STEP = tl.constexpr(1 / STEPS_PER_UNIT)
DISTANCE = tl.constexpr(DISTANCE_SCALE)
WARD = tl.constexpr(WARD_SCALE)


# ---- METHOD 2.1: similarities --------------------------------------------------------------------


@kernel
def similarity(
    mean, u, v, size_u, size_v, inside, num_regions,
    CHANNELS: tl.constexpr, SIMILARITY: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """How alike regions u and v are, in [0, 1]. With PIXELS, `mean` holds whole steps."""
    if SIMILARITY == "distance":
        apart = squared_distance(mean, u, v, inside, num_regions, CHANNELS, PIXELS)
        weight = 1.0 / (apart * DISTANCE + 1.0)
    elif SIMILARITY == "ward":
        apart = squared_distance(mean, u, v, inside, num_regions, CHANNELS, PIXELS)
        weight = 1.0 / (pair_size(size_u, size_v) * apart * WARD + 1.0)
    else:
        tl.static_assert(SIMILARITY == "cosine", "a similarity without a case of its own")
        cos = cosine(mean, u, v, inside, num_regions, CHANNELS, PIXELS)
        weight = tl.minimum(tl.maximum((cos + 1.0) / 2.0, 0.0), 1.0)
    return weight


@kernel
def squared_distance(mean, u, v, inside, num_regions, CHANNELS: tl.constexpr, PIXELS: tl.constexpr):
    """‖μ_u − μ_v‖², channels added in order."""
    total = tl.zeros(u.shape, tl.float64)
    for channel in range(CHANNELS):
        one, other = at_ends(mean, channel, u, v, inside, num_regions, PIXELS)
        difference = one - other
        total += difference * difference
    return total


@kernel
def cosine(mean, u, v, inside, num_regions, CHANNELS: tl.constexpr, PIXELS: tl.constexpr):
    """cos(μ_u, μ_v), 0 where a mean is zero."""
    dot = tl.zeros(u.shape, tl.float64)
    square_u = tl.zeros(u.shape, tl.float64)
    square_v = tl.zeros(u.shape, tl.float64)
    for channel in range(CHANNELS):
        one, other = at_ends(mean, channel, u, v, inside, num_regions, PIXELS)
        dot += one * other
        square_u += one * one
        square_v += other * other
    length = tl.sqrt(square_u) * tl.sqrt(square_v)
    return tl.where(length > 0, dot / tl.where(length > 0, length, 1.0), 0.0)


@kernel
def at_ends(mean, channel, u, v, inside, num_regions, PIXELS: tl.constexpr):
    """One channel of the means at both ends."""
    row = mean + channel * num_regions.to(tl.int64)
    one = tl.load(row + u, mask=inside, other=0).to(tl.float64)
    other = tl.load(row + v, mask=inside, other=0).to(tl.float64)
    if PIXELS:
        one = one * STEP
        other = other * STEP
    return one, other


@kernel
def pair_size(size_u, size_v):
    """|u||v| / (|u| + |v|): the sizes' harmonic mean, halved."""
    one = size_u.to(tl.float64)
    other = size_v.to(tl.float64)
    return (one * other) / (one + other)


# ---- METHOD 2.2: self-loops ----------------------------------------------------------------------


@kernel
def size_moments(count, pixels, squares):
    """Mean and standard deviation of the sizes of an image's regions."""
    regions = count.to(tl.float64)
    mean = pixels.to(tl.float64) / regions
    variance = squares.to(tl.float64) / regions - mean * mean
    return mean, tl.sqrt(tl.maximum(variance, 0.0))


@kernel
def self_loop_weight(size, mean_size, deviation):
    """How content a region is with its size: 0 for small ones, 1 for large ones."""
    score = (size - mean_size) / tl.where(deviation > 0, deviation, 1.0)
    return (tl.minimum(tl.maximum(score, -0.75), 0.75) + 1.0) / 2.0


# ---- METHOD 2.3: compactness ---------------------------------------------------------------------


@kernel
def box_fill(size, half_perimeter):
    """δ of a box: 1 for a full square."""
    side = half_perimeter.to(tl.float64)
    return tl.minimum((size.to(tl.int64) * 4).to(tl.float64) / (side * side), 1.0)


@kernel
def blend(fill, weight, compactness):
    """λδ + (1 − λ)w."""
    amount = tl.load(compactness)
    return fill * amount + weight * (1.0 - amount)


@kernel
def half_perimeter_of(box, region, inside, num_regions):
    """Width and height, added, of each region's box."""
    x_min, y_min, x_max, y_max = load_box(box, region, inside, num_regions)
    return (x_max - x_min) + (y_max - y_min)


@kernel
def joint_half_perimeter(box, u, v, inside, num_regions):
    """Width and height, added, of the box around two regions."""
    left_u, top_u, right_u, bottom_u = load_box(box, u, inside, num_regions)
    left_v, top_v, right_v, bottom_v = load_box(box, v, inside, num_regions)
    width = tl.maximum(right_u, right_v) - tl.minimum(left_u, left_v)
    height = tl.maximum(bottom_u, bottom_v) - tl.minimum(top_u, top_v)
    return width + height


@kernel
def load_box(box, region, inside, num_regions):
    """(x_min, y_min, x_max, y_max) of each region; of those not inside, a pixel's."""
    rows = num_regions.to(tl.int64)
    x_min = tl.load(box + region, mask=inside, other=0)
    y_min = tl.load(box + rows + region, mask=inside, other=0)
    x_max = tl.load(box + 2 * rows + region, mask=inside, other=1)
    y_max = tl.load(box + 3 * rows + region, mask=inside, other=1)
    return x_min, y_min, x_max, y_max


# ---- what a level's regions and edges weigh ------------------------------------------------------


@kernel
def pixel_edge_weight(
    features_q, u, v, inside, compactness, num_pixels,
    CHANNELS: tl.constexpr, SIMILARITY: tl.constexpr, COMPACT: tl.constexpr,
):  # fmt: skip
    """Bits of the weight of the edge between two pixels."""
    one = tl.full(u.shape, 1, tl.int32)
    weight = similarity(
        features_q, u, v, one, one, inside, num_pixels, CHANNELS, SIMILARITY, PIXELS=True
    )
    if COMPACT:
        weight = blend(box_fill(one + one, one + one + one), weight, compactness)
    return weight.to(tl.int64, bitcast=True)


@kernel
def edge_weights(
    mean, size, box, edges, num_edges, compactness, weights, best, num_regions, room,
    CHANNELS: tl.constexpr, SIMILARITY: tl.constexpr, COMPACT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Bits of the weight of every edge, and the best of every region."""
    edge, inside = own_row(tl.load(num_edges), BLOCK)
    u, v = load_ends(edges, edge, inside, room)
    size_u = tl.load(size + u, mask=inside, other=1)
    size_v = tl.load(size + v, mask=inside, other=1)
    weight = similarity(
        mean, u, v, size_u, size_v, inside, num_regions, CHANNELS, SIMILARITY, PIXELS=False
    )
    if COMPACT:
        half_perimeter = joint_half_perimeter(box, u, v, inside, num_regions)
        weight = blend(box_fill(size_u + size_v, half_perimeter), weight, compactness)
    bits = weight.to(tl.int64, bitcast=True)
    tl.store(weights + edge, bits, mask=inside)
    keep_best(best, u, v, bits, inside)


@kernel
def keep_best(best, u, v, bits, inside):
    """Let edges be the best of the regions at their ends, as far as they are."""
    # a region of many edges is spared most of the atomic operations on it
    beats_u = inside & (bits > tl.load(best + u, mask=inside, other=0))
    tl.atomic_max(best + u, bits, mask=beats_u, sem="relaxed")
    beats_v = inside & (bits > tl.load(best + v, mask=inside, other=0))
    tl.atomic_max(best + v, bits, mask=beats_v, sem="relaxed")


@kernel
def region_values(
    sums, size, box, table, squares, compactness,
    mean, self_weight, best, priority, image_of, num_regions, num_images,
    CHANNELS: tl.constexpr, COMPACT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Means and self-loops of regions."""
    image, start, count, local, inside = own_elements(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    region = start + local
    whole_size = tl.load(size + region, mask=inside, other=1)
    own_size = whole_size.to(tl.float64)
    for channel in range(CHANNELS):
        at = channel * num_regions.to(tl.int64) + region
        total = tl.load(sums + at, mask=inside, other=0).to(tl.float64)
        tl.store(mean + at, total / own_size * STEP, mask=inside)

    height = tl.load(table + num_images * HEIGHT + image)
    width = tl.load(table + num_images * WIDTH + image)
    mean_size, deviation = size_moments(count, height * width, tl.load(squares + image))
    deviation += tl.zeros([BLOCK], tl.float64)
    weight = self_loop_weight(own_size, mean_size, deviation)
    if COMPACT:
        half_perimeter = half_perimeter_of(box, region, inside, num_regions)
        weight = blend(box_fill(whole_size, half_perimeter), weight, compactness)
    loop = (whole_size > 1) & (deviation > 0)
    bits = tl.where(loop, weight.to(tl.int64, bitcast=True), NO_WEIGHT)
    tl.store(self_weight + region, bits, mask=inside)
    begin_choice(best, priority, image_of, region, image, inside)


@kernel
def begin_choice(best, priority, image_of, region, image, inside):
    """What regions' edges are compared with to begin with; and which image the regions are of."""
    tl.store(best + region, tl.full(region.shape, NO_WEIGHT, tl.int64), mask=inside)
    tl.store(priority + region, tl.full(region.shape, NO_PRIORITY, tl.int64), mask=inside)
    tl.store(image_of + region, tl.zeros(region.shape, tl.int32) + image, mask=inside)


@dataclass
class Weights:
    """Bits of what a level's edges and regions weigh.

    Attributes:
        of_edges: [m] of each edge.
        best: [n] of each region's strongest edge; `NO_WEIGHT` for none.
        self_loop: [n] of each region's self-loop; `NO_WEIGHT` for none.
        priority: [n] `NO_PRIORITY`, until the strongest edges' priorities are known.
        image: [n] each region's image.
    """

    of_edges: Int64[Tensor, " m"]
    best: Int64[Tensor, " n"]
    self_loop: Int64[Tensor, " n"]
    priority: Int64[Tensor, " n"]
    image: Int32[Tensor, " n"]


def empty_weights(level: Level) -> Weights:
    """Room for the weights of a level that has a list of edges."""
    best, self_loop, priority = level.table.new_empty(3, level.num_regions)
    image = torch.empty(level.num_regions, dtype=torch.int32, device=best.device)
    return Weights(best.new_empty(level.room), best, self_loop, priority, image)


def weigh(level: Level, similarity: str) -> Weights:
    """Weights of a level that has a list of edges."""
    mean: Float64[Tensor, "C n"] = torch.empty_like(level.sums, dtype=torch.float64)
    weights = empty_weights(level)
    launch(
        region_values,
        *level.launched,
        sums=level.sums,
        size=level.size,
        box=level.box,
        table=level.table,
        squares=level.squares,
        compactness=level.compactness,
        mean=mean,
        self_weight=weights.self_loop,
        best=weights.best,
        priority=weights.priority,
        image_of=weights.image,
        num_regions=level.num_regions,
        num_images=level.num_images,
        CHANNELS=level.channels,
        COMPACT=level.compactness is not None,
    )
    launch(
        edge_weights,
        level.room,
        1,
        mean=mean,
        size=level.size,
        box=level.box,
        edges=level.edges,
        num_edges=level.num_edges,
        compactness=level.compactness,
        weights=weights.of_edges,
        best=weights.best,
        num_regions=level.num_regions,
        room=level.room,
        CHANNELS=level.channels,
        SIMILARITY=similarity,
        COMPACT=level.compactness is not None,
    )
    return weights
