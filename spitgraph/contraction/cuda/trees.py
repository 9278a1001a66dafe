"""Clusters: the trees that regions' pointers make, in order of their first members (METHOD 2.5)."""
# mypy: allow-untyped-defs, allow-incomplete-defs

import torch
import triton.language as tl
from jaxtyping import Int32, Int64
from torch import Tensor

from spitgraph.contraction.cuda.level import Level
from spitgraph.contraction.cuda.select import Choice
from spitgraph.kernels.cuda.jit import kernel, launch
from spitgraph.kernels.cuda.programs import START, own_elements, own_row


@kernel
def find_roots(parent, first, num_regions, BLOCK: tl.constexpr):
    """Root of every region's tree, and the first region of every tree.

    Every region climbs, and leaves behind how far it came. So others that climb through it take
    longer and longer strides, as in pointer doubling, without a launch for every round. Whatever
    they read of each other while writing, it is an ancestor.
    """
    region, inside = own_row(num_regions, BLOCK)
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
    region, inside = own_row(num_regions, BLOCK)
    root = tl.load(parent + region, mask=inside, other=0)
    leader = tl.load(first + root, mask=inside, other=0)
    tl.store(first_of + region, leader, mask=inside)
    tl.store(is_first + region, (leader == region).to(tl.int32), mask=inside)


@kernel
def number_by_first(
    first_of, firsts_so_far, table, new_table, cluster, parent, num_images, BLOCK: tl.constexpr
):
    """Cluster of every region, in order of their first ones: in the batch, and in its image."""
    image, start, count, local, inside = own_elements(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    region = start + local
    leader = tl.load(first_of + region, mask=inside, other=0)
    number = tl.load(firsts_so_far + leader, mask=inside, other=1) - 1
    new_start = tl.load(new_table + num_images * START + image)
    tl.store(cluster + region, number, mask=inside)
    tl.store(parent + region, number - new_start, mask=inside)


def clusters(
    level: Level, choice: Choice, table: Int64[Tensor, "4 B"]
) -> tuple[Int32[Tensor, " n"], Int64[Tensor, " n"]]:
    """Cluster of every region, in order of their first ones: in the batch, and in its image.

    Args:
        level: The level.
        choice: What its regions chose. Their parents become the roots of their trees.
        table: The next level's.
    """
    first_of, firsts_so_far = first_members(choice.parent)
    cluster = torch.empty_like(choice.parent)
    parent_in_image = torch.empty_like(choice.best)
    launch(
        number_by_first,
        *level.launched,
        first_of=first_of,
        firsts_so_far=firsts_so_far,
        table=level.table,
        new_table=table,
        cluster=cluster,
        parent=parent_in_image,
        num_images=level.num_images,
    )
    return cluster, parent_in_image


def first_members(parent: Int32[Tensor, " n"]) -> tuple[Int32[Tensor, " n"], Int32[Tensor, " n"]]:
    """The first member of the tree of each; and how many such there are up to each.

    Args:
        parent: Of each its parent; a root is its own. They become the roots of their trees.
    """
    num_members = len(parent)
    first = torch.full_like(parent, num_members)
    launch(find_roots, num_members, 1, parent=parent, first=first, num_regions=num_members)
    first_of, is_first = parent.new_empty(2, num_members)
    launch(
        mark_first,
        num_members,
        1,
        parent=parent,
        first=first,
        first_of=first_of,
        is_first=is_first,
        num_regions=num_members,
    )
    return first_of, is_first.cumsum(0, dtype=torch.int32)
