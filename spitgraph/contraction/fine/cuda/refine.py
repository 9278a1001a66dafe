"""Pixels on borders change sides (METHOD 10.4); compare `spitgraph.contraction.fine.refine`.

A phase is two launches over its pixels: one finds all moves, one makes them. No pixel is looked at
by its neighbours of the same phase, and sums change by integers, so that no order matters.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs

from collections.abc import Sequence

import torch
import triton.language as tl
from jaxtyping import Int32, Int64, Shaped
from torch import Tensor

from spitgraph.contraction.cuda.colour import quantised_lab
from spitgraph.contraction.cuda.level import Level, level_zero
from spitgraph.contraction.fine.cuda.pixels import channel_weights
from spitgraph.contraction.fine.cuda.reduce import add_pixels, pooled_pixels
from spitgraph.contraction.fine.graph import coarsened
from spitgraph.kernels.cuda.images import channels, sides
from spitgraph.kernels.cuda.jit import kernel, launch, on_own_device
from spitgraph.kernels.cuda.programs import HEIGHT, START, WIDTH, image_table, starts

#: More than the rule has in any stage.
PASSES_AT_A_TIME = 16


def refine_labels(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    labels: Sequence[Int64[Tensor, "_H _W"]],
    counts: list[int],
    passes: int,
) -> list[Int64[Tensor, "_H _W"]]:
    """`spitgraph.contraction.fine.refine.refine` of a batch, by the Lab of its images.

    Args:
        images: RGB, uint8 or float32 in [0, 1], on one GPU.
        labels: Regions 0 … n − 1 of each image, all of them connected.
        counts: Regions of each image.
        passes: How many.

    Raises:
        ValueError: The batch has more pixels than 32 bits can number, or too many images.
    """
    areas, heights, widths = sides(images)
    features_q = coarsened(quantised_lab(channels(images)))
    first = starts(counts)
    label = torch.cat([own.flatten() + s for own, s in zip(labels, first, strict=True)]).int()
    refine_features(features_q, label, counts, passes, areas, heights, widths)
    return [
        (own - s).view(height, width)
        for own, s, height, width in zip(
            label.long().split(areas), first, heights, widths, strict=True
        )
    ]


@on_own_device
def refine_features(
    features_q: Int32[Tensor, "C P"],
    label: Int32[Tensor, " P"],
    counts: list[int],
    passes: int,
    areas: list[int],
    heights: list[int],
    widths: list[int],
) -> None:
    """`refine` by Lab in the fine rule's steps, where what the regions hold is not known yet."""
    device = features_q.device
    pixels = level_zero(features_q, areas, image_table(areas, heights, widths, device=device), 0.0)
    weights = channel_weights(features_q, lab=True)
    table = image_table(counts, heights, widths, device=device)
    regions = pooled_pixels(pixels, label, counts, table, weights[0])
    refine(label, pixels, regions, weights, passes, heights, widths)


def refine(
    label: Int32[Tensor, " P"],
    pixels: Level,
    regions: Level,
    weights: Int64[Tensor, "2 C"],
    passes: int,
    heights: list[int],
    widths: list[int],
) -> None:
    """Let border pixels change sides for the better, in place.

    After a pass in which nothing moves, those that follow look at nothing, and cost the launches.
    Whether that is so is asked every `PASSES_AT_A_TIME`: on the way to a count, the host never
    waits.

    Args:
        label: Region of each pixel, numbered over the batch.
        pixels: All of the batch.
        regions: What the regions hold; it follows the moves.
        weights: What each channel counts where regions merge, and where pixels change sides.
        passes: How many.
        heights: Of the images.
        widths: Of the images.
    """
    move = torch.empty_like(label)
    last_move = torch.zeros_like(label)
    largest = max(
        -(-height // 2) * -(-width // 2) for height, width in zip(heights, widths, strict=True)
    )
    shared = {
        "label": label,
        "move": move,
        "last_move": last_move,
        "features_q": pixels.sums,
        "sums": regions.sums,
        "size": regions.size,
        "table": pixels.table,
        "num_pixels": pixels.num_regions,
        "num_regions": regions.num_regions,
        "num_images": pixels.num_images,
        "CHANNELS": pixels.channels,
    }
    merge, change = weights
    for before in range(passes):
        for phase in range(4):
            at = {"num_phase": phase, "num_before": before}
            launch(find_moves, largest, pixels.num_images, weights=change, **shared, **at)
            launch(make_moves, largest, pixels.num_images, weights=merge, **shared, **at)
        if (before + 1) % PASSES_AT_A_TIME == 0 and not bool((last_move > before).any()):
            break  # the host waited here


@kernel
def own_phase(table, num_images, num_phase, BLOCK: tl.constexpr):
    """This program's pixels of those at (phase // 2, phase % 2) of every 2 × 2.

    The sides of their image; then their numbers in the batch, where they are, and which exist.
    """
    image = tl.program_id(1)
    start = tl.load(table + num_images * START + image).to(tl.int32)
    height = tl.load(table + num_images * HEIGHT + image).to(tl.int32)
    width = tl.load(table + num_images * WIDTH + image).to(tl.int32)
    rows = (height + 1 - num_phase // 2) // 2
    columns = (width + 1 - num_phase % 2) // 2
    own = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = own // tl.maximum(columns, 1)
    y = 2 * row + num_phase // 2
    x = 2 * (own - row * columns) + num_phase % 2
    return height, width, start + y * width + x, y, x, own < rows * columns


@kernel
def find_moves(
    label, move, last_move, features_q, sums, size, weights, table,
    num_pixels, num_regions, num_images, num_phase, num_before,
    CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The region that each pixel of a phase moves to; −1 where it stays.

    Looked at are pixels that have moved in the pass before or since, or a neighbour across a side:
    `last_move` has the last pass in which one did, the first being 1.
    """
    height, width, pixel, y, x, inside = own_phase(table, num_images, num_phase, BLOCK)
    last = tl.load(last_move + pixel, mask=inside, other=-1)
    looked_at = inside & (last >= num_before)
    chosen = tl.full([BLOCK], -1, tl.int32)
    if tl.max(looked_at.to(tl.int32), 0) > 0:
        here = tl.load(label + pixel, mask=looked_at, other=0)
        up = tl.load(label + pixel - width, mask=looked_at & (y > 0), other=-1)
        right = tl.load(label + pixel + 1, mask=looked_at & (x < width - 1), other=-1)
        down = tl.load(label + pixel + width, mask=looked_at & (y < height - 1), other=-1)
        left = tl.load(label + pixel - 1, mask=looked_at & (x > 0), other=-1)
        simple = stays_connected(
            label, pixel, here, up, right, down, left, y, x, height, width, looked_at
        )
        own_size = tl.load(size + here, mask=looked_at, other=1)
        may = looked_at & simple & (own_size > 1)
        if tl.max(may.to(tl.int32), 0) > 0:
            leaving = own_size.to(tl.float64) / tl.maximum(own_size - 1, 1).to(tl.float64)
            distance = distance_from(
                features_q, pixel, sums, here, own_size, weights, may, num_pixels, num_regions,
                CHANNELS,
            )  # fmt: skip
            best = leaving * distance
            for side in tl.static_range(4):
                if side == 0:
                    other = up
                elif side == 1:
                    other = right
                elif side == 2:
                    other = down
                else:
                    other = left
                there = may & (other >= 0) & (other != here)
                joined_size = tl.load(size + other, mask=there, other=1)
                joining = joined_size.to(tl.float64) / (joined_size + 1).to(tl.float64)
                distance = distance_from(
                    features_q, pixel, sums, other, joined_size, weights, there, num_pixels,
                    num_regions, CHANNELS,
                )  # fmt: skip
                cost = joining * distance
                better = there & (cost < best)
                best = tl.where(better, cost, best)
                chosen = tl.where(better, other, chosen)
    tl.store(move + pixel, chosen, mask=inside)


@kernel
def stays_connected(label, pixel, here, up, right, down, left, y, x, height, width, inside):
    """Whether a region stays connected without a pixel; see `rule.is_simple`."""
    above = y > 0
    below = y < height - 1
    before = x > 0
    behind = x < width - 1
    over, under = pixel - width, pixel + width
    up_right = tl.load(label + over + 1, mask=inside & above & behind, other=-1) == here
    down_right = tl.load(label + under + 1, mask=inside & below & behind, other=-1) == here
    down_left = tl.load(label + under - 1, mask=inside & below & before, other=-1) == here
    up_left = tl.load(label + over - 1, mask=inside & above & before, other=-1) == here
    to_up, to_right, to_down, to_left = up == here, right == here, down == here, left == here
    arcs = begins(to_up, up_left, to_left) + begins(to_right, up_right, to_up)
    arcs += begins(to_down, down_right, to_right) + begins(to_left, down_left, to_down)
    return arcs == 1


@kernel
def begins(own, corner, before):
    """Whether an arc of own neighbours begins at one across a side: none reaches it clockwise."""
    return (own & ((corner & before) == 0)).to(tl.int32)


@kernel
def distance_from(
    features_q, pixel, sums, region, region_size, weights, inside, num_pixels, num_regions,
    CHANNELS: tl.constexpr,
):  # fmt: skip
    """Squared distance of a pixel from a region's mean, channels added in order."""
    total = tl.zeros(pixel.shape, tl.float64)
    count = region_size.to(tl.float64)
    for channel in range(CHANNELS):
        own = features_q + channel * num_pixels.to(tl.int64) + pixel
        held = sums + channel * num_regions.to(tl.int64) + region
        mean = tl.load(held, mask=inside, other=0).to(tl.float64) / count
        step = tl.load(own, mask=inside, other=0).to(tl.float64) - mean
        total += tl.load(weights + channel).to(tl.float64) * (step * step)
    return total


@kernel
def make_moves(
    label, move, last_move, features_q, sums, size, weights, table,
    num_pixels, num_regions, num_images, num_phase, num_before,
    CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Pixels of a phase change sides; the surroundings of each are looked at then."""
    height, width, pixel, y, x, inside = own_phase(table, num_images, num_phase, BLOCK)
    to = tl.load(move + pixel, mask=inside, other=-1)
    moves = inside & (to >= 0)
    if tl.max(moves.to(tl.int32), 0) > 0:
        here = tl.load(label + pixel, mask=moves, other=0)
        add_pixels(
            features_q, pixel, to, moves, weights, sums, size, num_pixels, num_regions,
            CHANNELS, TIMES=1,
        )  # fmt: skip
        add_pixels(
            features_q, pixel, here, moves, weights, sums, size, num_pixels, num_regions,
            CHANNELS, TIMES=-1,
        )  # fmt: skip
        tl.store(label + pixel, to, mask=moves)
        current = tl.zeros([BLOCK], tl.int32) + (num_before + 1)
        tl.store(last_move + pixel, current, mask=moves)
        tl.store(last_move + pixel - width, current, mask=moves & (y > 0))
        tl.store(last_move + pixel - 1, current, mask=moves & (x > 0))
        tl.store(last_move + pixel + 1, current, mask=moves & (x < width - 1))
        tl.store(last_move + pixel + width, current, mask=moves & (y < height - 1))
