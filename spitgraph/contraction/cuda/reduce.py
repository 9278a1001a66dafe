"""Exact pooling of what each region holds; compare `spitgraph.contraction.reduce`."""
# mypy: allow-untyped-defs, allow-incomplete-defs

import torch
import triton.language as tl
from jaxtyping import Int32, Int64
from torch import Tensor

from spitgraph.contraction.cuda.level import Level, empty_level
from spitgraph.contraction.cuda.weights import load_box
from spitgraph.kernels.cuda.jit import kernel, launch
from spitgraph.kernels.cuda.programs import WIDTH, add_up, own_elements
from spitgraph.kernels.limits import CUDA_PIXELS


@kernel
def pool(
    cluster, sums, size, box, table, new_sums, new_size, new_box, squares,
    num_regions, num_clusters, num_images,
    CHANNELS: tl.constexpr, COMPACT: tl.constexpr, PIXELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Sums, sizes and boxes of the clusters, and the sum of the squared sizes of each image.

    With PIXELS the regions are pixels: their sizes and boxes are known.
    """
    image, start, count, local, inside = own_elements(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    region = start + local
    target = tl.load(cluster + region, mask=inside, other=0)
    rows = num_regions.to(tl.int64)
    new_rows = num_clusters.to(tl.int64)

    for channel in range(CHANNELS):
        total = tl.load(sums + channel * rows + region, mask=inside, other=0).to(tl.int64)
        tl.atomic_add(new_sums + channel * new_rows + target, total, mask=inside, sem="relaxed")

    own = tl.full([BLOCK], 1, tl.int32)
    if not PIXELS:
        own = tl.load(size + region, mask=inside, other=0)
    before = tl.atomic_add(new_size + target, own, mask=inside, sem="relaxed")
    # (s + d)² − s² = d·(2s + d): over the additions to a cluster they add up to its size squared
    growth = own.to(tl.int64) * (before.to(tl.int64) * 2 + own)
    add_up(squares + image, tl.where(inside, growth, 0))

    if COMPACT:
        if PIXELS:
            width = tl.load(table + num_images * WIDTH + image).to(tl.int32)
            y_min = local // width
            x_min = local - y_min * width
            x_max = x_min + 1
            y_max = y_min + 1
        else:
            x_min, y_min, x_max, y_max = load_box(box, region, inside, num_regions)
        widen_box(new_box, new_rows, target, x_min, y_min, x_max, y_max, inside)


@kernel
def widen_box(box, rows, region, x_min, y_min, x_max, y_max, inside):
    """Widen regions' boxes, row by row of `box`; what lies inside them already costs a load."""
    left = box + region
    top = left + rows
    right = top + rows
    bottom = right + rows
    beyond = inside & (x_min < tl.load(left, mask=inside, other=0))
    tl.atomic_min(left, x_min, mask=beyond, sem="relaxed")
    beyond = inside & (y_min < tl.load(top, mask=inside, other=0))
    tl.atomic_min(top, y_min, mask=beyond, sem="relaxed")
    beyond = inside & (x_max > tl.load(right, mask=inside, other=0))
    tl.atomic_max(right, x_max, mask=beyond, sem="relaxed")
    beyond = inside & (y_max > tl.load(bottom, mask=inside, other=0))
    tl.atomic_max(bottom, y_max, mask=beyond, sem="relaxed")


def pooled(
    level: Level, cluster: Int32[Tensor, " n"], counts: list[int], table: Int64[Tensor, "4 B"]
) -> Level:
    """The clusters as the regions of the next level, as yet without edges.

    Args:
        level: This one.
        cluster: Next region of every region.
        counts: Next regions of each image.
        table: The next level's.
    """
    result = empty_level(level.channels, counts, table)
    if level.compactness is not None:
        result.compactness = level.compactness
        result.box = torch.zeros(4, result.num_regions, dtype=torch.int32, device=table.device)
        result.box[:2] = CUDA_PIXELS
    launch(
        pool,
        *level.launched,
        cluster=cluster,
        sums=level.sums,
        size=level.size,
        box=level.box,
        table=level.table,
        new_sums=result.sums,
        new_size=result.size,
        new_box=result.box,
        squares=result.squares,
        num_regions=level.num_regions,
        num_clusters=result.num_regions,
        num_images=level.num_images,
        CHANNELS=level.channels,
        COMPACT=level.compactness is not None,
        PIXELS=level.size is None,
    )
    return result
