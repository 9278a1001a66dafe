"""Exact pooling of what each region holds; compare `spitgraph.contraction.reduce`."""
# mypy: allow-untyped-defs, allow-incomplete-defs

import triton.language as tl

from spitgraph.kernels.cuda.jit import kernel


@kernel
def pool(
    cluster, sums, size, box, table, new_sums, new_size, new_box, squares,
    num_regions, num_clusters, num_images,
    CHANNELS: tl.constexpr, COMPACT: tl.constexpr, PIXELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Sums, sizes and boxes of the clusters, and the sum of the squared sizes of each image.

    With PIXELS the regions are pixels: their sizes and boxes are known.
    """
    image = tl.program_id(1)
    start = tl.load(table + image).to(tl.int32)
    count = tl.load(table + num_images + image)
    if tl.program_id(0) * BLOCK >= count:
        return
    local = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = local < count
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
    growth = tl.sum(tl.where(inside, growth, 0), 0)
    tl.atomic_add(squares + image, growth, sem="relaxed")

    if COMPACT:
        if PIXELS:
            width = tl.load(table + 3 * num_images + image).to(tl.int32)
            y_min = local // width
            x_min = local - y_min * width
            x_max = x_min + 1
            y_max = y_min + 1
        else:
            x_min = tl.load(box + region, mask=inside, other=0)
            y_min = tl.load(box + rows + region, mask=inside, other=0)
            x_max = tl.load(box + 2 * rows + region, mask=inside, other=0)
            y_max = tl.load(box + 3 * rows + region, mask=inside, other=0)
        widen(new_box, new_rows, target, x_min, y_min, x_max, y_max, inside)


@kernel
def widen(box, rows, region, x_min, y_min, x_max, y_max, inside):
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
