"""Strongest edge of every region → clusters; compare `spitgraph.contraction.select`."""
# mypy: allow-untyped-defs, allow-incomplete-defs

import torch
import triton.language as tl
from jaxtyping import Bool, Int8, Int64
from torch import Tensor

from spitgraph.contraction.cuda.weights import NO_PRIORITY, edge_priority
from spitgraph.kernels.cuda.jit import kernel, unmix


@kernel
def count_merging(best, self_weight, table, merging, num_images, BLOCK: tl.constexpr):
    """How many regions of each image would merge."""
    image = tl.program_id(1)
    start = tl.load(table + image).to(tl.int32)
    count = tl.load(table + num_images + image)
    if tl.program_id(0) * BLOCK >= count:
        return
    local = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = local < count
    strongest = tl.load(best + start + local, mask=inside, other=-1)
    own = tl.load(self_weight + start + local, mask=inside, other=0)
    merges = inside & (strongest >= 0) & (strongest >= own)  # the former: has a neighbour
    tl.atomic_add(merging + image, tl.sum(merges.to(tl.int32), 0).to(tl.int64), sem="relaxed")


@kernel
def edge_priorities(
    edges, edge_count, weights, best, self_weight, image_of, table, merging, priority,
    num_edges, num_images, ASIDE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The highest priority among the strongest edges of each region that merges.

    With ASIDE, self-loops stand aside in images where fewer than half of the regions would merge.
    """
    edge = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = edge < tl.load(edge_count)
    u = tl.load(edges + edge, mask=inside, other=0)
    v = tl.load(edges + num_edges.to(tl.int64) + edge, mask=inside, other=0)
    weight = tl.load(weights + edge, mask=inside, other=0)
    at_u = inside & (weight == tl.load(best + u, mask=inside, other=-1))
    at_v = inside & (weight == tl.load(best + v, mask=inside, other=-1))
    merges_u = weight >= tl.load(self_weight + u, mask=at_u, other=0)
    merges_v = weight >= tl.load(self_weight + v, mask=at_v, other=0)
    either = at_u | at_v
    image = tl.load(image_of + u, mask=either, other=0)
    if ASIDE:
        count = tl.load(table + num_images + image, mask=either, other=0)
        lagging = 2 * tl.load(merging + image, mask=either, other=0) < count
        merges_u = merges_u | lagging
        merges_v = merges_v | lagging
    start = tl.load(table + image, mask=either, other=0)
    rank = edge_priority(u - start, v - start)
    tl.atomic_max(priority + u, rank, mask=at_u & merges_u, sem="relaxed")
    tl.atomic_max(priority + v, rank, mask=at_v & merges_v, sem="relaxed")


@kernel
def link(
    priority, table, keep, parent, owner, chosen, num_images, CUT: tl.constexpr, BLOCK: tl.constexpr
):
    """Point every region along its edge: the priority tells which, for its hash has an inverse.

    Of two regions that point at each other the first is the root. An edge's owner is the region
    that counts it: the one that chose it, the first if both did. Without CUT, edges are counted;
    with it, only those remain that `keep` has for their owner.
    """
    image = tl.program_id(1)
    start = tl.load(table + image).to(tl.int32)
    count = tl.load(table + num_images + image)
    if tl.program_id(0) * BLOCK >= count:
        return
    local = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = local < count
    region = start + local
    rank = tl.load(priority + region, mask=inside, other=NO_PRIORITY)
    points = inside & (rank != NO_PRIORITY)
    pair = unmix(rank)
    other = ((pair >> 32) + (pair & 0xFFFFFFFF) - local).to(tl.int32)  # the edge's other end
    target = tl.where(points, start + other, region)
    mutual = points & (tl.load(priority + target, mask=points, other=NO_PRIORITY) == rank)
    second = mutual & (target < region)
    if CUT:
        owned_by = tl.where(second, target, region)
        points = points & (tl.load(keep + owned_by, mask=points, other=0) != 0)
    else:
        owns = points & (second == 0)
        tl.store(owner + region, owns.to(tl.int8), mask=inside)
        tl.atomic_add(chosen + image, tl.sum(owns.to(tl.int32), 0).to(tl.int64), sem="relaxed")
    root = (points == 0) | (mutual & (second == 0))
    tl.store(parent + region, tl.where(root, region, target), mask=inside)


def strongest_of_each_image(
    best: Int64[Tensor, " n"],
    priority: Int64[Tensor, " n"],
    owner: Int8[Tensor, " n"],
    counts: Int64[Tensor, " B"],
    chosen: Int64[Tensor, " B"],
    at_most: Int64[Tensor, " B"],
) -> Bool[Tensor, " n"]:
    """Which owners' edges are among the `at_most` strongest of their image. Nothing waits.

    Args:
        best: Bits of the weight of every region's edge.
        priority: Its priority.
        owner: Whether the region is its owner.
        counts: Regions of each image.
        chosen: Edges chosen in each image.
        at_most: How many to keep.
    """
    images = torch.arange(counts.numel(), device=best.device)
    image = images.repeat_interleave(counts, output_size=best.numel())
    image = torch.where(owner != 0, image, counts.numel())  # the others come last
    order = priority.argsort(descending=True, stable=True)
    order = order[best[order].argsort(descending=True, stable=True)]
    order = order[image[order].argsort(stable=True)]
    none = chosen.new_zeros(1)
    image = image[order]
    rank = torch.arange(best.numel(), device=best.device)
    rank -= torch.cat([none, chosen.cumsum(0)])[image]
    keep = torch.empty_like(owner, dtype=torch.bool)
    keep[order] = rank < torch.cat([at_most, none])[image]
    return keep


@kernel
def find_roots(parent, first, num_regions, BLOCK: tl.constexpr):
    """Root of every region's tree, and the first region of every tree.

    Every region climbs, and leaves behind how far it came. So others that climb through it take
    longer and longer strides, as in pointer doubling, without a launch for every round. Whatever
    they read of each other while writing, it is an ancestor.
    """
    region = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = region < num_regions
    here = tl.load(parent + region, mask=inside, other=0)
    above = tl.load(parent + here, mask=inside, other=0, volatile=True)
    while tl.max((inside & (above != here)).to(tl.int32), 0) > 0:
        tl.store(parent + region, above, mask=inside)
        here = above
        above = tl.load(parent + here, mask=inside, other=0, volatile=True)
    tl.atomic_min(first + here, region, mask=inside, sem="relaxed")


@kernel
def mark_first(parent, first, first_of, is_first, num_regions, BLOCK: tl.constexpr):
    """The first region of every region's tree, and whether it is the region itself."""
    region = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = region < num_regions
    root = tl.load(parent + region, mask=inside, other=0)
    leader = tl.load(first + root, mask=inside, other=0)
    tl.store(first_of + region, leader, mask=inside)
    tl.store(is_first + region, (leader == region).to(tl.int32), mask=inside)


@kernel
def number_clusters(
    first_of, number, table, new_starts, cluster, parent_in_image, num_images, BLOCK: tl.constexpr
):
    """Cluster of every region, numbered in the batch and within its image."""
    image = tl.program_id(1)
    start = tl.load(table + image).to(tl.int32)
    count = tl.load(table + num_images + image)
    if tl.program_id(0) * BLOCK >= count:
        return
    local = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = local < count
    region = start + local
    leader = tl.load(first_of + region, mask=inside, other=0)
    mine = tl.load(number + leader, mask=inside, other=1) - 1
    tl.store(cluster + region, mine, mask=inside)
    tl.store(parent_in_image + region, mine - tl.load(new_starts + image), mask=inside)
