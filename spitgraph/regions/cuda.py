"""Sizes, boxes, centroids, colours and borders of a batch; compare `spitgraph.regions`."""
# mypy: allow-untyped-defs, allow-incomplete-defs

from itertools import accumulate

import torch
import triton.language as tl
from jaxtyping import Float32, Int64
from torch import Tensor

from spitgraph.contraction.cuda.reduce import widen
from spitgraph.kernels.cuda.jit import kernel, launch, on_device, on_own_device, whole
from spitgraph.regions.describe import COLOUR_STEPS, FAR


@on_own_device
def describe(
    cluster: Int64[Tensor, " HW"],
    pixels: Float32[Tensor, "HW 3"],
    heights: list[int],
    widths: list[int],
    counts: list[int],
) -> tuple[
    Int64[Tensor, " N"],
    Int64[Tensor, "N 4"],
    Float32[Tensor, "N 2"],
    Float32[Tensor, "N 3"],
    Int64[Tensor, "2 E"],
    Float32[Tensor, "E 1"],
    Int64[Tensor, " B"],
]:
    """What the regions of a batch of images look like, the same bits as `describe_regions` gives.

    Args:
        cluster: Region of each pixel, numbered over the batch, none empty.
        pixels: RGB in [0, 1], the images one after the other, row by row.
        heights: H of each image.
        widths: W of each image.
        counts: Regions of each image.

    Returns:
        Size, bbox, pos and color of the regions; edge_index and edge_attr of the edges between
        them, in both directions and sorted, numbered over the batch; and the edges of each image.
    """
    areas = [height * width for height, width in zip(heights, widths, strict=True)]
    table = on_device([list(accumulate(areas, initial=0))[:-1], heights, widths], cluster.device)
    size, bbox, means = measured(cluster, pixels.detach().contiguous(), table, areas, sum(counts))
    edge_index, length = shared_borders(cluster, table, areas, sum(counts))
    ends = on_device([list(accumulate(counts))], cluster.device)[0]
    num_edges = torch.searchsorted(edge_index[0], ends)
    num_edges = num_edges.diff(prepend=num_edges.new_zeros(1))
    pos = means[:2].t().float().contiguous()
    color = (means[2:] / COLOUR_STEPS).t().float().contiguous()
    return size, bbox, pos, color, edge_index, length.float()[:, None], num_edges


def measured(
    cluster: Int64[Tensor, " HW"],
    pixels: Float32[Tensor, "HW 3"],
    table: Int64[Tensor, "3 B"],
    areas: list[int],
    num_regions: int,
) -> tuple[Int64[Tensor, " N"], Int64[Tensor, "N 4"], Tensor]:
    """Size, box, and the means [5, N] float64 of x, y and the colours in whole steps."""
    sums = torch.zeros(6, num_regions, dtype=torch.int64, device=cluster.device)
    bbox = sums.new_full((4, num_regions), FAR)
    bbox[2:] = 0
    launch(
        measure, max(areas), len(areas),
        cluster, pixels, table, sums, bbox, num_regions, len(areas), STEPS=float(COLOUR_STEPS),
    )  # fmt: skip
    return sums[5].clone(), bbox.t().contiguous(), sums[:5].double() / sums[5]


def shared_borders(
    cluster: Int64[Tensor, " HW"], table: Int64[Tensor, "3 B"], areas: list[int], num_regions: int
) -> tuple[Int64[Tensor, "2 E"], Int64[Tensor, " E"]]:
    """Regions that touch, in both directions and sorted; and how many pixel sides they share.

    The host waits twice: for the number of sides between regions, and for that of the edges.
    """
    sides = cluster.new_empty(2 * cluster.numel())
    count = cluster.new_zeros(1)
    launch(
        sides_between_regions, max(areas), len(areas),
        cluster, table, sides, count, num_regions, len(areas),
    )  # fmt: skip
    pair, length = sides[: int(count)].unique(return_counts=True)
    low, high = pair.div(num_regions, rounding_mode="floor"), pair % num_regions
    order = torch.cat([pair, high * num_regions + low]).argsort()
    edge_index = torch.stack([torch.cat([low, high]), torch.cat([high, low])])
    return edge_index[:, order], torch.cat([length, length])[order]


@kernel
def measure(
    cluster, pixels, table, sums, bbox, num_regions, num_images,
    STEPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Sums over each region's pixels of x, y, red, green, blue, 1; and the box around them."""
    image = tl.program_id(1)
    start = tl.load(table + image)
    height = tl.load(table + num_images + image).to(tl.int32)
    width = tl.load(table + 2 * num_images + image).to(tl.int32)
    if tl.program_id(0) * BLOCK >= height * width:
        return
    local = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = local < height * width
    y = (local // width).to(tl.int64)
    x = local - y * width
    region = tl.load(cluster + start + local, mask=inside, other=0)
    rows = num_regions.to(tl.int64)
    tl.atomic_add(sums + region, x, mask=inside, sem="relaxed")
    tl.atomic_add(sums + rows + region, y, mask=inside, sem="relaxed")
    for channel in tl.static_range(3):
        value = tl.load(pixels + 3 * (start + local) + channel, mask=inside, other=0.0)
        steps = whole(value.to(tl.float64) * STEPS)
        tl.atomic_add(sums + (2 + channel) * rows + region, steps, mask=inside, sem="relaxed")
    one = tl.full([BLOCK], 1, tl.int64)
    tl.atomic_add(sums + 5 * rows + region, one, mask=inside, sem="relaxed")
    widen(bbox, rows, region, x, y, x + 1, y + 1, inside)


@kernel
def sides_between_regions(
    cluster, table, sides, count, num_regions, num_images, BLOCK: tl.constexpr
):
    """Append every pixel side between two regions: smaller · N + larger number."""
    image = tl.program_id(1)
    start = tl.load(table + image)
    height = tl.load(table + num_images + image).to(tl.int32)
    width = tl.load(table + 2 * num_images + image).to(tl.int32)
    if tl.program_id(0) * BLOCK >= height * width:
        return
    local = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = local < height * width
    y = local // width
    x = local - y * width
    one = tl.load(cluster + start + local, mask=inside, other=0)
    for side in tl.static_range(2):
        if side == 0:
            there = inside & (x < width - 1)
            beside = local + 1
        else:
            there = inside & (y < height - 1)
            beside = local + width
        other = tl.load(cluster + start + beside, mask=there, other=0)
        differs = (there & (one != other)).to(tl.int32)
        before = tl.cumsum(differs, 0) - differs
        room = tl.atomic_add(count, tl.sum(differs, 0).to(tl.int64), sem="relaxed")
        pair = tl.minimum(one, other) * num_regions + tl.maximum(one, other)
        tl.store(sides + room + before, pair, mask=differs != 0)
