"""What separates two pixels, and which are cheapest to merge (METHOD 10.1, 10.2)."""
# mypy: allow-untyped-defs, allow-incomplete-defs

from dataclasses import replace

import torch
import triton.language as tl
from jaxtyping import Int32, Int64
from torch import Tensor

from spitgraph.contraction.cuda.level import Level
from spitgraph.contraction.cuda.rows import NO_PRIORITY, NO_WEIGHT
from spitgraph.contraction.cuda.select import edge_priority, stronger
from spitgraph.contraction.fine import rule
from spitgraph.contraction.fine.cuda.costs import merge_cost, squared_distance, strength
from spitgraph.kernels.cuda.jit import kernel, launch, on_device, whole
from spitgraph.kernels.cuda.programs import next_pixel, own_pixels


def channel_weights(features_q: Int32[Tensor, "C P"], lab: bool) -> Int64[Tensor, "2 C"]:
    """What each channel counts: where regions merge, and where pixels change sides."""
    return on_device(rule.channel_weights(len(features_q), lab), features_q.device)


# ---- 3 × 3 pixels: the smoothed picture, and evidence --------------------------------------------


@kernel
def sum_patches(
    features_q, table, patch, num_pixels, num_images, CHANNELS: tl.constexpr, BLOCK: tl.constexpr
):
    """Features summed over the 3 × 3 pixels around each; borders are repeated."""
    image, start, count, height, width, local, y, x, inside = own_pixels(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    left = tl.maximum(x - 1, 0) - x
    right = tl.minimum(x + 1, width - 1) - x
    up = (tl.maximum(y - 1, 0) - y) * width
    down = (tl.minimum(y + 1, height - 1) - y) * width
    pixel = start + local
    for channel in range(CHANNELS):
        row = channel * num_pixels.to(tl.int64)
        here = features_q + row + pixel
        total = sum_of_three(here + up, left, right, inside)
        total += sum_of_three(here, left, right, inside)
        total += sum_of_three(here + down, left, right, inside)
        tl.store(patch + row + pixel, total, mask=inside)


@kernel
def sum_of_three(here, left, right, inside):
    """Values at some places, and at those so far to their left and right, added."""
    total = tl.load(here + left, mask=inside, other=0)
    total += tl.load(here, mask=inside, other=0)
    return total + tl.load(here + right, mask=inside, other=0)


@kernel
def measure_evidence(
    patch, table, weights, evidence, num_pixels, num_images,
    CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """How different the patches before each pixel and behind the next one are: right, then below.

    Distances of their sums, to the nearest whole step. Those across the image's border mean
    nothing.
    """
    image, start, count, height, width, local, y, x, inside = own_pixels(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    for side in tl.static_range(2):
        if side == 0:
            before = local + tl.maximum(x - 1, 0) - x
            behind = local + tl.minimum(x + 2, width - 1) - x
        else:
            before = local + (tl.maximum(y - 1, 0) - y) * width
            behind = local + (tl.minimum(y + 2, height - 1) - y) * width
        square = squared_distance(
            patch, start + before, start + behind, inside, weights, num_pixels, CHANNELS
        )
        at = evidence + side * num_pixels.to(tl.int64) + start + local
        tl.store(at, whole(tl.sqrt(square)).to(tl.int32), mask=inside)


def patch_sums(pixels: Level) -> Int32[Tensor, "C P"]:
    """Features summed over the 3 × 3 pixels around each; borders are repeated."""
    patch = torch.empty_like(pixels.sums)
    launch(
        sum_patches,
        *pixels.launched,
        features_q=pixels.sums,
        table=pixels.table,
        patch=patch,
        num_pixels=pixels.num_regions,
        num_images=pixels.num_images,
        CHANNELS=pixels.channels,
    )
    return patch


def smoothed(pixels: Level, patch: Int32[Tensor, "C P"]) -> Level:
    """The pixels with the means of the 3 × 3 around each; see `naive.smoothed`."""
    count = 9 + rule.MIDDLE_EXTRA
    total = patch.add(pixels.sums, alpha=rule.MIDDLE_EXTRA).add_(count // 2)
    return replace(pixels, sums=total.div_(count, rounding_mode="floor"))


def find_evidence(pixels: Level, patch: Int32[Tensor, "C P"]) -> Int32[Tensor, "2 P"]:
    """Evidence of the sides between each pixel and the one right of it; and the one below."""
    evidence = patch.new_empty(2, pixels.num_regions)
    launch(
        measure_evidence,
        *pixels.launched,
        patch=patch,
        table=pixels.table,
        weights=pixels.table.new_ones(pixels.channels),
        evidence=evidence,
        num_pixels=pixels.num_regions,
        num_images=pixels.num_images,
        CHANNELS=pixels.channels,
    )
    return evidence


# ---- the cheapest edge of every pixel ------------------------------------------------------------


@kernel
def cheapest_pixel_edges(
    features_q, evidence, table, weights, best, priority, num_pixels, num_images,
    CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Every pixel looks at its four neighbours. No list of edges, nothing atomic."""
    image, start, count, height, width, local, y, x, inside = own_pixels(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    strongest = tl.full([BLOCK], NO_WEIGHT, tl.int64)
    first = tl.full([BLOCK], NO_PRIORITY, tl.int64)
    one = tl.full([BLOCK], 1.0, tl.float64)
    none = tl.zeros([BLOCK], tl.float64)
    for side in tl.static_range(4):
        other, there = next_pixel(side, local, y, x, height, width, inside)
        u = tl.minimum(local, other)
        v = tl.maximum(local, other)
        row = evidence + (side % 2) * num_pixels.to(tl.int64)
        apart = tl.load(row + start + u, mask=there, other=0).to(tl.float64)
        distance = squared_distance(
            features_q, start + u, start + v, there, weights, num_pixels, CHANNELS
        )
        bits = strength(merge_cost(one, one, distance, none, one, apart))
        strongest, first = stronger(bits, edge_priority(u, v), there, strongest, first)
    tl.store(best + start + local, strongest, mask=inside)
    tl.store(priority + start + local, first, mask=inside)


def cheapest_of_pixels(
    pixels: Level, evidence: Int32[Tensor, "2 P"], weights: Int64[Tensor, " C"]
) -> tuple[Int64[Tensor, " P"], Int64[Tensor, " P"]]:
    """Strength and priority of every pixel's cheapest edge."""
    best, priority = pixels.table.new_empty(2, pixels.num_regions)
    launch(
        cheapest_pixel_edges,
        *pixels.launched,
        features_q=pixels.sums,
        evidence=evidence,
        table=pixels.table,
        weights=weights,
        best=best,
        priority=priority,
        num_pixels=pixels.num_regions,
        num_images=pixels.num_images,
        CHANNELS=pixels.channels,
    )
    return best, priority
