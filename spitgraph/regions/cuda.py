"""Sizes, boxes, centroids, colours and borders of a batch; compare `spitgraph.regions.describe`."""
# mypy: allow-untyped-defs, allow-incomplete-defs

from collections.abc import Sequence
from itertools import accumulate

import torch
import triton.language as tl
from jaxtyping import Float32, Float64, Int64, Shaped
from torch import Tensor

from spitgraph.contraction.cuda.reduce import widen_box
from spitgraph.kernels.cuda.images import channels, sides
from spitgraph.kernels.cuda.jit import kernel, launch, on_device, on_own_device, whole
from spitgraph.kernels.cuda.programs import image_table, next_pixel, own_pixels, reserved
from spitgraph.regions.describe import COLOUR_STEPS, FAR

STEPS = tl.constexpr(float(COLOUR_STEPS))


@on_own_device
def describe_regions(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    cluster: Int64[Tensor, " P"],
    counts: Sequence[int],
) -> tuple[
    Float32[Tensor, "P 3"],
    Int64[Tensor, " N"],
    Int64[Tensor, "N 4"],
    Float32[Tensor, "N 2"],
    Float32[Tensor, "N 3"],
    Int64[Tensor, "2 E"],
    Float32[Tensor, "E 1"],
    Int64[Tensor, " B"],
]:
    """What the regions of a batch of images look like, the same bits as on the plain path.

    The host waits twice: for the number of pixel sides between regions, and for that of the edges.

    Args:
        images: RGB, uint8 or float32 in [0, 1], of any strides, on one GPU.
        cluster: Region of each pixel, numbered over the batch, none empty.
        counts: Regions of each image.

    Returns:
        The pixels as float32; size, bbox, pos and color of the regions; edge_index and edge_attr of
        the edges between them, in both directions and sorted, numbered over the batch; and, on the
        CPU, the edges of each image.

    Raises:
        ValueError: The batch has more pixels than 32 bits can number, or too many images.
    """
    areas, heights, widths = sides(images)
    cluster = cluster.contiguous()
    table = image_table(areas, heights, widths, device=cluster.device)
    pixels = channels(images).t().contiguous()
    size, bbox, means = measured(cluster, pixels, table, areas, sum(counts))
    edge_index, length, num_edges = shared_borders(cluster, table, areas, list(counts))
    pos = means[:2].t().float().contiguous()
    color = (means[2:] / COLOUR_STEPS).t().float().contiguous()
    return pixels, size, bbox, pos, color, edge_index, length.float()[:, None], num_edges


def measured(
    cluster: Int64[Tensor, " P"],
    pixels: Float32[Tensor, "P 3"],
    table: Int64[Tensor, "4 B"],
    areas: list[int],
    num_regions: int,
) -> tuple[Int64[Tensor, " N"], Int64[Tensor, "N 4"], Float64[Tensor, "5 N"]]:
    """Size, box, and the means of x, y and the colours in whole steps."""
    sums = torch.zeros(6, num_regions, dtype=torch.int64, device=cluster.device)
    bbox = sums.new_full((4, num_regions), FAR)
    bbox[2:] = 0
    launch(
        measure,
        max(areas),
        len(areas),
        cluster=cluster,
        pixels=pixels,
        table=table,
        sums=sums,
        bbox=bbox,
        num_regions=num_regions,
        num_images=len(areas),
    )
    return sums[5].clone(), bbox.t().contiguous(), sums[:5].double() / sums[5]


def shared_borders(
    cluster: Int64[Tensor, " P"], table: Int64[Tensor, "4 B"], areas: list[int], counts: list[int]
) -> tuple[Int64[Tensor, "2 E"], Int64[Tensor, " E"], Int64[Tensor, " B"]]:
    """Regions that touch, in both directions and sorted; how many pixel sides they share.

    And how many edges each image has.
    """
    num_regions, device = sum(counts), cluster.device
    sides = cluster.new_empty(2 * cluster.numel())
    num_sides = cluster.new_zeros(1)
    launch(
        sides_between_regions,
        max(areas),
        len(areas),
        cluster=cluster,
        table=table,
        sides=sides,
        num_sides=num_sides,
        num_regions=num_regions,
        num_images=len(areas),
    )
    side = sides[: int(num_sides)].sort().values  # the host waits here

    # what `unique` does, but that the edges of each image are known as soon as those of all
    is_first = torch.cat([side.new_ones(1), side.diff()])[: side.numel()] != 0
    edge_of_side = is_first.cumsum(0) - 1
    beyond = on_device([end * num_regions for end in accumulate(counts)], device)
    edges_before = torch.cat([side.new_zeros(1), edge_of_side + 1])
    ends = edges_before[torch.searchsorted(side, beyond)].cpu()  # and here
    num_pairs = int(ends[-1])
    pair = side.new_empty(num_pairs).index_copy_(0, edge_of_side, side)
    length = side.new_zeros(num_pairs).index_add_(0, edge_of_side, torch.ones_like(side))

    low, high = pair.div(num_regions, rounding_mode="floor"), pair % num_regions
    order = torch.cat([pair, high * num_regions + low]).argsort()
    edge_index = torch.stack([torch.cat([low, high]), torch.cat([high, low])])
    num_edges = 2 * ends.diff(prepend=ends.new_zeros(1))
    return edge_index[:, order], torch.cat([length, length])[order], num_edges


@kernel
def measure(
    cluster, pixels, table, sums, bbox, num_regions, num_images, BLOCK: tl.constexpr
):  # fmt: skip
    """Sums over each region's pixels of x, y, red, green, blue, 1; and the box around them."""
    image, start, count, height, width, local, y, x, inside = own_pixels(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    pixel = (start + local).to(tl.int64)
    y = y.to(tl.int64)
    x = x.to(tl.int64)
    region = tl.load(cluster + pixel, mask=inside, other=0)
    rows = num_regions.to(tl.int64)
    tl.atomic_add(sums + region, x, mask=inside, sem="relaxed")
    tl.atomic_add(sums + rows + region, y, mask=inside, sem="relaxed")
    for channel in tl.static_range(3):
        value = tl.load(pixels + 3 * pixel + channel, mask=inside, other=0.0)
        steps = whole(value.to(tl.float64) * STEPS)
        tl.atomic_add(sums + (2 + channel) * rows + region, steps, mask=inside, sem="relaxed")
    one = tl.full([BLOCK], 1, tl.int64)
    tl.atomic_add(sums + 5 * rows + region, one, mask=inside, sem="relaxed")
    widen_box(bbox, rows, region, x, y, x + 1, y + 1, inside)


@kernel
def sides_between_regions(
    cluster, table, sides, num_sides, num_regions, num_images, BLOCK: tl.constexpr
):
    """Append every pixel side between two regions: smaller · N + larger number."""
    image, start, count, height, width, local, y, x, inside = own_pixels(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    one = tl.load(cluster + start + local, mask=inside, other=0)
    for side in tl.static_range(2):
        beside, there = next_pixel(side, local, y, x, height, width, inside)
        other = tl.load(cluster + start + beside, mask=there, other=0)
        differs = there & (one != other)
        pair = tl.minimum(one, other) * num_regions + tl.maximum(one, other)
        tl.store(sides + reserved(num_sides, differs), pair, mask=differs)
