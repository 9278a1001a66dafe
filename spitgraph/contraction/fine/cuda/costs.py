"""What it costs to merge two regions (METHOD 10.2); compare `spitgraph.contraction.fine.select`.

An edge is the stronger the cheaper it is: costs are positive, so that their bits, read as int64 and
taken from those of infinity, are ordered from dear to cheap, and not negative. So they are chosen
among as weights are in `spitgraph.contraction.cuda.select`.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs

import torch
import triton.language as tl
from jaxtyping import Float64, Int64
from torch import Tensor

from spitgraph.contraction.cuda.connect import load_ends
from spitgraph.contraction.cuda.level import Level
from spitgraph.contraction.cuda.rows import NO_WEIGHT
from spitgraph.contraction.cuda.weights import Weights, begin_choice, empty_weights, keep_best
from spitgraph.contraction.fine import rule
from spitgraph.kernels.cuda.jit import kernel, launch
from spitgraph.kernels.cuda.programs import own_elements, own_row

DISTANCE = tl.constexpr(float(rule.DISTANCE_FLOOR))
EVIDENCE = tl.constexpr(float(rule.EVIDENCE_FLOOR))
VARIANCE = tl.constexpr(float(rule.VARIANCE_FLOOR))
#: Bits of infinity, which no cost reaches.
INFINITE = tl.constexpr(0x7FF0000000000000)


@kernel
def merge_cost(a, b, distance, variation, length, evidence):
    """What it costs to merge two regions; see `naive.merge_cost`.

    All are float64: the regions' sizes, the squared distance of their means, the sum of their
    variations, and of their border the length and the evidence.
    """
    s = a + b
    q = a * b / s
    d = distance + DISTANCE
    per_side = evidence / length
    e = per_side * per_side + EVIDENCE
    within = variation / s + VARIANCE
    q3 = q * q * q
    shape = tl.sqrt(tl.minimum(a, b) / (length * length * length * within))
    return q3 * q3 * s * (d * d * d) * e * shape


@kernel
def strength(cost):
    """The bits by which an edge of this cost is chosen: the more, the cheaper."""
    return INFINITE - cost.to(tl.int64, bitcast=True)


@kernel
def squared_distance(values, u, v, inside, weights, num_columns, CHANNELS: tl.constexpr):
    """Squared distance of two columns of `values`, each channel by its weight, added in order."""
    total = tl.zeros(u.shape, tl.float64)
    for channel in range(CHANNELS):
        row = values + channel * num_columns.to(tl.int64)
        one = tl.load(row + u, mask=inside, other=0).to(tl.float64)
        other = tl.load(row + v, mask=inside, other=0).to(tl.float64)
        step = one - other
        total += tl.load(weights + channel).to(tl.float64) * (step * step)
    return total


@kernel
def means_and_variations(
    sums, size, table, weights, mean, variation, best, priority, image_of, num_regions, num_images,
    CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Means and variations of regions."""
    image, start, count, local, inside = own_elements(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    region = start + local
    rows = num_regions.to(tl.int64)
    own_size = tl.load(size + region, mask=inside, other=1).to(tl.float64)
    total = tl.zeros([BLOCK], tl.float64)
    for channel in range(CHANNELS):
        at = channel * rows + region
        own_mean = tl.load(sums + at, mask=inside, other=0).to(tl.float64) / own_size
        tl.store(mean + at, own_mean, mask=inside)
        total += tl.load(weights + channel).to(tl.float64) * (own_mean * own_mean)
    squares = tl.load(sums + CHANNELS * rows + region, mask=inside, other=0).to(tl.float64)
    tl.store(variation + region, tl.maximum(squares - total * own_size, 0.0), mask=inside)
    begin_choice(best, priority, image_of, region, image, inside)


@kernel
def edge_strengths(
    mean, variation, size, edges, num_edges, border, weights, strengths, best, num_regions, room,
    CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """How strong every edge is, and the best of every region."""
    edge, inside = own_row(tl.load(num_edges), BLOCK)
    rows = room.to(tl.int64)
    u, v = load_ends(edges, edge, inside, room)
    within_u = tl.load(variation + u, mask=inside, other=0)
    within_v = tl.load(variation + v, mask=inside, other=0)
    cost = merge_cost(
        tl.load(size + u, mask=inside, other=1).to(tl.float64),
        tl.load(size + v, mask=inside, other=1).to(tl.float64),
        squared_distance(mean, u, v, inside, weights, num_regions, CHANNELS),
        within_u + within_v,
        tl.load(border + edge, mask=inside, other=1).to(tl.float64),
        tl.load(border + rows + edge, mask=inside, other=0).to(tl.float64),
    )
    bits = strength(cost)
    tl.store(strengths + edge, bits, mask=inside)
    keep_best(best, u, v, bits, inside)


def weigh(level: Level, border: Int64[Tensor, "2 m"], weights: Int64[Tensor, " C"]) -> Weights:
    """How strong a level's edges are. The fine rule has no self-loops.

    Args:
        level: Of which `sums` are [C + 1, n]: the last row are the weighted squares.
        border: Length and evidence of each edge.
        weights: What each channel counts.
    """
    channels, num_regions = len(weights), level.num_regions
    mean: Float64[Tensor, "_ n"] = torch.empty_like(level.sums, dtype=torch.float64)
    result = empty_weights(level)
    result.self_loop.fill_(NO_WEIGHT.value)
    launch(
        means_and_variations,
        *level.launched,
        sums=level.sums,
        size=level.size,
        table=level.table,
        weights=weights,
        mean=mean,
        variation=mean[channels],
        best=result.best,
        priority=result.priority,
        image_of=result.image,
        num_regions=num_regions,
        num_images=level.num_images,
        CHANNELS=channels,
    )
    launch(
        edge_strengths,
        level.room,
        1,
        mean=mean,
        variation=mean[channels],
        size=level.size,
        edges=level.edges,
        num_edges=level.num_edges,
        border=border,
        weights=weights,
        strengths=result.of_edges,
        best=result.best,
        num_regions=num_regions,
        room=level.room,
        CHANNELS=channels,
    )
    return result
