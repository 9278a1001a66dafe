"""Weights of edges and self-loops; compare `spitgraph.contraction.weights`.

The same operations on float64 in the same order, none of them fused: the same bits. Weights are not
negative, so their bits, read as int64, are ordered as they are. An atomic maximum finds the best.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs

import triton.language as tl

from spitgraph.contraction.graph import STEPS_PER_UNIT
from spitgraph.contraction.select import LOWEST
from spitgraph.contraction.weights import DISTANCE_SCALE, WARD_SCALE
from spitgraph.kernels.cuda.jit import kernel, mix

#: Dividing by a power of two and multiplying by its inverse give the same bits.
STEP = tl.constexpr(1 / STEPS_PER_UNIT)
NO_WEIGHT = tl.constexpr(-1)
#: No edge of an image has this priority: `unmix` of it is no pair u < v.
NO_PRIORITY = tl.constexpr(LOWEST)
DISTANCE = tl.constexpr(DISTANCE_SCALE)
WARD = tl.constexpr(WARD_SCALE)


@kernel
def strongest_neighbours(
    steps, table, best, priority, compactness, num_pixels, num_images,
    CHANNELS: tl.constexpr, SIMILARITY: tl.constexpr, COMPACT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Level 0: every pixel looks at its four neighbours. No list of edges, nothing atomic."""
    image = tl.program_id(1)
    start = tl.load(table + image).to(tl.int32)
    height = tl.load(table + 2 * num_images + image).to(tl.int32)
    width = tl.load(table + 3 * num_images + image).to(tl.int32)
    if tl.program_id(0) * BLOCK >= height * width:
        return
    local = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = local < height * width
    y = local // width
    x = local - y * width
    strongest = tl.full([BLOCK], NO_WEIGHT, tl.int64)
    first = tl.full([BLOCK], NO_PRIORITY, tl.int64)
    for side in tl.static_range(4):
        if side == 0:
            there = inside & (x > 0)
            other = local - 1
        elif side == 1:
            there = inside & (x < width - 1)
            other = local + 1
        elif side == 2:
            there = inside & (y > 0)
            other = local - width
        else:
            there = inside & (y < height - 1)
            other = local + width
        u = tl.minimum(local, other)
        v = tl.maximum(local, other)
        # pixels have neither sizes nor boxes to load: `steps` stands in for both
        weight = pair_weight(
            steps, steps, steps, start + u, start + v, there, compactness, num_pixels,
            CHANNELS, SIMILARITY, COMPACT, True,
        )  # fmt: skip
        bits = weight.to(tl.int64, bitcast=True)
        rank = edge_priority(u, v)
        better = there & ((bits > strongest) | ((bits == strongest) & (rank > first)))
        strongest = tl.where(better, bits, strongest)
        first = tl.where(better, rank, first)
    tl.store(best + start + local, strongest, mask=inside)
    tl.store(priority + start + local, first, mask=inside)


@kernel
def region_values(
    sums, size, box, table, squares, compactness,
    mean, self_weight, best, priority, image_of, num_regions, num_images,
    CHANNELS: tl.constexpr, COMPACT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Means and self-loops of regions, and what their edges are compared with to begin with."""
    image = tl.program_id(1)
    start = tl.load(table + image).to(tl.int32)
    count = tl.load(table + num_images + image)
    if tl.program_id(0) * BLOCK >= count:
        return
    pixels = tl.load(table + 2 * num_images + image) * tl.load(table + 3 * num_images + image)
    local = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = local < count
    region = start + local
    rows = num_regions.to(tl.int64)

    regions = count.to(tl.float64)
    mean_size = pixels.to(tl.float64) / regions
    variance = tl.load(squares + image).to(tl.float64) / regions - mean_size * mean_size
    deviation = tl.sqrt(tl.maximum(variance, 0.0)) + tl.zeros([BLOCK], tl.float64)
    whole_size = tl.load(size + region, mask=inside, other=1)
    own_size = whole_size.to(tl.float64)
    for channel in range(CHANNELS):
        at = channel * rows + region
        total = tl.load(sums + at, mask=inside, other=0).to(tl.float64)
        tl.store(mean + at, total / own_size * STEP, mask=inside)

    score = (own_size - mean_size) / tl.where(deviation > 0, deviation, 1.0)
    weight = (tl.minimum(tl.maximum(score, -0.75), 0.75) + 1.0) / 2.0
    if COMPACT:
        amount = tl.load(compactness)
        x_min = tl.load(box + region, mask=inside, other=0)
        y_min = tl.load(box + rows + region, mask=inside, other=0)
        x_max = tl.load(box + 2 * rows + region, mask=inside, other=1)
        y_max = tl.load(box + 3 * rows + region, mask=inside, other=1)
        fill = box_fill(whole_size, (x_max - x_min) + (y_max - y_min))
        weight = fill * amount + weight * (1.0 - amount)
    loop = (whole_size > 1) & (deviation > 0)
    bits = tl.where(loop, weight.to(tl.int64, bitcast=True), NO_WEIGHT)
    tl.store(self_weight + region, bits, mask=inside)
    tl.store(best + region, tl.full([BLOCK], NO_WEIGHT, tl.int64), mask=inside)
    tl.store(priority + region, tl.full([BLOCK], NO_PRIORITY, tl.int64), mask=inside)
    tl.store(image_of + region, tl.zeros([BLOCK], tl.int32) + image, mask=inside)


@kernel
def edge_weights(
    mean, size, box, edges, edge_count, compactness, weights, best, num_regions, num_edges,
    CHANNELS: tl.constexpr, SIMILARITY: tl.constexpr, COMPACT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Weight of every edge, and the best of every region. `num_edges` are there is room for."""
    edge = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = edge < tl.load(edge_count)
    u = tl.load(edges + edge, mask=inside, other=0)
    v = tl.load(edges + num_edges.to(tl.int64) + edge, mask=inside, other=0)
    weight = pair_weight(
        mean, size, box, u, v, inside, compactness, num_regions,
        CHANNELS, SIMILARITY, COMPACT, False,
    )  # fmt: skip
    bits = weight.to(tl.int64, bitcast=True)
    tl.store(weights + edge, bits, mask=inside)
    # a region of many edges is spared most of the atomic operations on it
    beats_u = inside & (bits > tl.load(best + u, mask=inside, other=0))
    tl.atomic_max(best + u, bits, mask=beats_u, sem="relaxed")
    beats_v = inside & (bits > tl.load(best + v, mask=inside, other=0))
    tl.atomic_max(best + v, bits, mask=beats_v, sem="relaxed")


@kernel
def pair_weight(
    mean, size, box, u, v, inside, compactness, num_regions,
    CHANNELS: tl.constexpr, SIMILARITY: tl.constexpr, COMPACT: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """Weight of the edges between regions u and v (METHOD 2.1, 2.3). Pixels hold whole steps."""
    rows = num_regions.to(tl.int64)
    total = tl.zeros(u.shape, tl.float64)
    square_u = tl.zeros(u.shape, tl.float64)
    square_v = tl.zeros(u.shape, tl.float64)
    for channel in range(CHANNELS):
        one = tl.load(mean + channel * rows + u, mask=inside, other=0).to(tl.float64)
        other = tl.load(mean + channel * rows + v, mask=inside, other=0).to(tl.float64)
        if PIXELS:
            one = one * STEP
            other = other * STEP
        if SIMILARITY == "cosine":
            total += one * other
            square_u += one * one
            square_v += other * other
        else:
            difference = one - other
            total += difference * difference
    if PIXELS:
        size_u = tl.full(u.shape, 1, tl.int32)
        size_v = size_u
    elif COMPACT or SIMILARITY == "ward":
        size_u = tl.load(size + u, mask=inside, other=1)
        size_v = tl.load(size + v, mask=inside, other=1)
    if SIMILARITY == "cosine":
        length = tl.sqrt(square_u) * tl.sqrt(square_v)
        cos = tl.where(length > 0, total / tl.where(length > 0, length, 1.0), 0.0)
        weight = tl.minimum(tl.maximum((cos + 1.0) / 2.0, 0.0), 1.0)
    elif SIMILARITY == "ward":
        one = size_u.to(tl.float64)
        other = size_v.to(tl.float64)
        cost = ((one * other) / (one + other)) * total
        weight = 1.0 / (cost * WARD + 1.0)
    else:
        weight = 1.0 / (total * DISTANCE + 1.0)
    if COMPACT:
        if PIXELS:
            half_perimeter = tl.full(u.shape, 3, tl.int32)
        else:
            x_min = lower(box, u, v, inside)
            y_min = lower(box + rows, u, v, inside)
            x_max = higher(box + 2 * rows, u, v, inside)
            y_max = higher(box + 3 * rows, u, v, inside)
            half_perimeter = (x_max - x_min) + (y_max - y_min)
        amount = tl.load(compactness)
        weight = box_fill(size_u + size_v, half_perimeter) * amount + weight * (1.0 - amount)
    return weight


@kernel
def lower(bound, u, v, inside):
    """The lower bound of the box around two regions."""
    return tl.minimum(
        tl.load(bound + u, mask=inside, other=0), tl.load(bound + v, mask=inside, other=0)
    )


@kernel
def higher(bound, u, v, inside):
    """The upper bound of the box around two regions."""
    return tl.maximum(
        tl.load(bound + u, mask=inside, other=1), tl.load(bound + v, mask=inside, other=1)
    )


@kernel
def box_fill(size, half_perimeter):
    """δ of a box (METHOD 2.3): 1 for a full square."""
    side = half_perimeter.to(tl.float64)
    return tl.minimum((size.to(tl.int64) * 4).to(tl.float64) / (side * side), 1.0)


@kernel
def edge_priority(u, v):
    """Pseudo-random priority of the edge {u, v}, u < v numbered within their image."""
    return mix((u.to(tl.int64) << 32) | v.to(tl.int64))
