"""Partitions made to nest (METHOD 10.5); compare `spitgraph.contraction.fine.nest`."""
# mypy: allow-untyped-defs, allow-incomplete-defs

from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
import triton.language as tl
from jaxtyping import Int32, Int64
from torch import Tensor

from spitgraph.contraction.cuda.level import Level
from spitgraph.contraction.cuda.trees import first_members
from spitgraph.kernels.cuda.jit import kernel, launch, on_device
from spitgraph.kernels.cuda.programs import next_pixel, own_elements, own_pixels, starts


@dataclass
class Kept:
    """A partition on the way.

    Attributes:
        label: Region of each pixel, numbered over the batch.
        images: Whether it counts as a level of each image.
    """

    label: Int32[Tensor, " P"]
    images: list[bool]


@kernel
def join_alike(fine, coarse, table, parent, num_images, BLOCK: tl.constexpr):
    """Join neighbours that are of the same region in both partitions, by trees.

    A root is hooked onto a smaller one; what others have changed meanwhile shows in what was there
    before, and is joined too. Parents only ever become smaller: whatever is read is an ancestor.
    """
    image, start, count, height, width, local, y, x, inside = own_pixels(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    pixel = start + local
    own_fine = tl.load(fine + pixel, mask=inside, other=0)
    own_coarse = tl.load(coarse + pixel, mask=inside, other=0)
    for side in tl.static_range(2):
        beside, there = next_pixel(side, local, y, x, height, width, inside)
        open_ = there & (tl.load(fine + start + beside, mask=there, other=-1) == own_fine)
        open_ = open_ & (tl.load(coarse + start + beside, mask=there, other=-1) == own_coarse)
        one = pixel
        other = start + beside
        while tl.max(open_.to(tl.int32), 0) > 0:
            one, one_is_root = climbed(parent, one, open_)
            other, other_is_root = climbed(parent, other, open_)
            open_ = open_ & (one != other)
            low = tl.minimum(one, other)
            high = tl.maximum(one, other)
            hooks = open_ & one_is_root & other_is_root
            before = tl.atomic_min(parent + high, low, mask=hooks, sem="relaxed")
            open_ = open_ & ((hooks == 0) | (before != high))
            one = tl.where(hooks, before, one)
            other = tl.where(hooks, low, other)


@kernel
def climbed(parent, here, moves):
    """The grandparent, or the root, of each; whether that was found to be a root.

    What is left behind points there from now on, so that paths become short.
    """
    above = tl.load(parent + here, mask=moves, other=0, volatile=True)
    top = tl.load(parent + above, mask=moves, other=0, volatile=True)
    tl.atomic_min(parent + here, top, mask=moves & (top != above), sem="relaxed")
    return top, top == above


@kernel
def add_level(
    first_of, so_far, label, table, parts_before, grows, parent, num_images, BLOCK: tl.constexpr
):
    """The region of the coarser partition, `label`, that each part lies in.

    In images that get a further level, parts take the place of that partition. `first_of` is the
    first pixel of each one's part, `so_far` how many parts there are up to a pixel; of each image,
    `parts_before` says how many there are in those before it, and `grows` whether it gets a level.
    """
    image, start, count, local, inside = own_elements(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    pixel = start + local
    first = tl.load(first_of + pixel, mask=inside, other=0)
    part = tl.load(so_far + first, mask=inside, other=1) - 1
    region = tl.load(label + pixel, mask=inside, other=0)
    tl.store(parent + part, region.to(tl.int64), mask=inside & (first == pixel))
    own_part = part - tl.load(parts_before + image).to(tl.int32)
    takes = tl.load(grows + image) != 0
    tl.store(label + pixel, tl.where(takes, own_part, region), mask=inside)


def parent_maps(
    kept: list[Kept], pixels: Level, counts: list[int]
) -> tuple[list[list[Int64[Tensor, " _"]]], list[list[int]]]:
    """The hierarchies that end at the last of some partitions.

    The host waits once a partition, for how many parts each image has.

    Args:
        kept: Partitions on the way.
        pixels: All of the batch.
        counts: Regions of each image in the last partition.

    Returns:
        Of each image, the parent maps from the pixels on, and how many regions there are.
    """
    areas = pixels.counts
    label = within_images(kept[-1].label, areas, counts)
    levels = [[count] for count in counts]  # of each image, from the last on
    maps: list[list[Tensor]] = [[] for _ in areas]
    last_pixel = on_device([end - 1 for end in accumulate(areas)], label.device)
    for earlier in reversed(kept[:-1]):
        first_of, so_far = parts_of(earlier.label, label, pixels)
        ends = [0, *so_far[last_pixel].tolist()]  # the host waits here
        parts = [end - begin for begin, end in pairwise(ends)]
        grows = [
            wanted and own[-1] < count < area
            for wanted, own, count, area in zip(earlier.images, levels, parts, areas, strict=True)
        ]
        parts_before, further = on_device([ends[:-1], grows], label.device)
        parent = torch.empty(ends[-1], dtype=torch.int64, device=label.device)
        launch(
            add_level,
            *pixels.launched,
            first_of=first_of,
            so_far=so_far,
            label=label,
            table=pixels.table,
            parts_before=parts_before,
            grows=further,
            parent=parent,
            num_images=pixels.num_images,
        )
        for image, own_map in enumerate(parent.split(parts)):
            if grows[image]:
                maps[image].append(own_map)
                levels[image].append(parts[image])
    firsts = label.long().split(areas)
    for image, area in enumerate(areas):
        if levels[image][0] < area:
            maps[image].append(firsts[image])
            levels[image].append(area)
    return [own[::-1] for own in maps], [own[::-1] for own in levels]


def parts_of(
    fine: Int32[Tensor, " P"], coarse: Int32[Tensor, " P"], pixels: Level
) -> tuple[Int32[Tensor, " P"], Int32[Tensor, " P"]]:
    """Connected parts of what two partitions have in common; see `first_members`."""
    parent = torch.arange(len(fine), dtype=torch.int32, device=fine.device)
    launch(
        join_alike,
        *pixels.launched,
        fine=fine,
        coarse=coarse,
        table=pixels.table,
        parent=parent,
        num_images=pixels.num_images,
    )
    return first_members(parent)


def within_images(
    label: Int32[Tensor, " P"], areas: list[int], counts: list[int]
) -> Int32[Tensor, " P"]:
    """Regions numbered over the batch as numbered within their images."""
    start, area = on_device([starts(counts), areas], label.device)
    return label - start.repeat_interleave(area, output_size=len(label)).int()
