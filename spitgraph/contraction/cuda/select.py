"""Strongest edge of every region → clusters; compare `spitgraph.contraction.select`."""
# mypy: allow-untyped-defs, allow-incomplete-defs

from dataclasses import dataclass

import torch
import triton.language as tl
from jaxtyping import Bool, Int8, Int32, Int64
from torch import Tensor

from spitgraph.contraction.cuda.connect import load_ends
from spitgraph.contraction.cuda.level import Level
from spitgraph.contraction.cuda.rows import NO_PRIORITY, NO_WEIGHT
from spitgraph.contraction.cuda.weights import Weights, pixel_edge_weight, weigh
from spitgraph.kernels.cuda.jit import kernel, launch, mix, on_device, unmix
from spitgraph.kernels.cuda.programs import (
    COUNT,
    START,
    add_up,
    next_pixel,
    own_elements,
    own_pixels,
    own_row,
)
from spitgraph.settings import Settings


@dataclass
class Choice:
    """What each region of a level chose.

    Attributes:
        best: [n] bits of the weight of its strongest edge.
        priority: [n] priority of the edge that it chose; `NO_PRIORITY` for none.
        owner: [n] whether it is the region that counts the edge.
        parent: [n] the region that it points at; itself for a root.
    """

    best: Int64[Tensor, " n"]
    priority: Int64[Tensor, " n"]
    owner: Int8[Tensor, " n"]
    parent: Int32[Tensor, " n"]


# ---- METHOD 2.4: the strongest edge of every region ----------------------------------------------


@kernel
def edge_priority(u, v):
    """Pseudo-random priority of the edge {u, v}, u < v numbered within their image."""
    return mix((u.to(tl.int64) << 32) | v.to(tl.int64))


@kernel
def other_end(priority, local):
    """The other end of a region's edge, of which the priority tells: its hash has an inverse."""
    pair = unmix(priority)
    return ((pair >> 32) + (pair & 0xFFFFFFFF) - local).to(tl.int32)


@kernel
def stronger(bits, rank, there, strongest, first):
    """Bits and priority of the better: an edge, if it is there, or the strongest so far."""
    better = there & ((bits > strongest) | ((bits == strongest) & (rank > first)))
    return tl.where(better, bits, strongest), tl.where(better, rank, first)


@kernel
def strongest_pixel_edges(
    features_q, table, best, priority, compactness, num_pixels, num_images,
    CHANNELS: tl.constexpr, SIMILARITY: tl.constexpr, COMPACT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Level 0: every pixel looks at its four neighbours. No list of edges, nothing atomic."""
    image, start, count, height, width, local, y, x, inside = own_pixels(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    strongest = tl.full([BLOCK], NO_WEIGHT, tl.int64)
    first = tl.full([BLOCK], NO_PRIORITY, tl.int64)
    for side in tl.static_range(4):
        other, there = next_pixel(side, local, y, x, height, width, inside)
        u = tl.minimum(local, other)
        v = tl.maximum(local, other)
        bits = pixel_edge_weight(
            features_q, start + u, start + v, there, compactness, num_pixels,
            CHANNELS, SIMILARITY, COMPACT,
        )  # fmt: skip
        strongest, first = stronger(bits, edge_priority(u, v), there, strongest, first)
    tl.store(best + start + local, strongest, mask=inside)
    tl.store(priority + start + local, first, mask=inside)


@kernel
def count_merging(best, self_weight, table, merging, num_images, BLOCK: tl.constexpr):
    """How many regions of each image would merge."""
    image, start, count, local, inside = own_elements(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    strongest = tl.load(best + start + local, mask=inside, other=NO_WEIGHT)
    own = tl.load(self_weight + start + local, mask=inside, other=0)
    has_neighbour = strongest != NO_WEIGHT
    add_up(merging + image, inside & has_neighbour & (strongest >= own))


@kernel
def strongest_edges(
    edges, num_edges, weights, best, self_weight, image_of, table, merging, priority,
    room, num_images, ASIDE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The highest priority among the strongest edges of each region that merges.

    With ASIDE, self-loops stand aside in images where fewer than half of the regions would merge.
    """
    edge, inside = own_row(tl.load(num_edges), BLOCK)
    u, v = load_ends(edges, edge, inside, room)
    weight = tl.load(weights + edge, mask=inside, other=0)
    at_u = inside & (weight == tl.load(best + u, mask=inside, other=NO_WEIGHT))
    at_v = inside & (weight == tl.load(best + v, mask=inside, other=NO_WEIGHT))
    merges_u = weight >= tl.load(self_weight + u, mask=at_u, other=0)
    merges_v = weight >= tl.load(self_weight + v, mask=at_v, other=0)
    either = at_u | at_v
    image = tl.load(image_of + u, mask=either, other=0)
    if ASIDE:
        count = tl.load(table + num_images * COUNT + image, mask=either, other=0)
        lagging = 2 * tl.load(merging + image, mask=either, other=0) < count
        merges_u = merges_u | lagging
        merges_v = merges_v | lagging
    start = tl.load(table + num_images * START + image, mask=either, other=0)
    rank = edge_priority(u - start, v - start)
    tl.atomic_max(priority + u, rank, mask=at_u & merges_u, sem="relaxed")
    tl.atomic_max(priority + v, rank, mask=at_v & merges_v, sem="relaxed")


@kernel
def point(
    priority, table, keep, parent, owner, chosen, num_images, CUT: tl.constexpr, BLOCK: tl.constexpr
):
    """Point every region along its edge; a region without one, at itself.

    Of two regions that point at each other the first is the root. An edge's owner is the region
    that counts it: the one that chose it, the first if both did. Without CUT, edges are counted;
    with it, only those remain that `keep` has for their owner.
    """
    image, start, count, local, inside = own_elements(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    region = start + local
    rank = tl.load(priority + region, mask=inside, other=NO_PRIORITY)
    points = inside & (rank != NO_PRIORITY)
    target = tl.where(points, start + other_end(rank, local), region)
    mutual = points & (tl.load(priority + target, mask=points, other=NO_PRIORITY) == rank)
    second = mutual & (target < region)
    if CUT:
        owned_by = tl.where(second, target, region)
        points = points & (tl.load(keep + owned_by, mask=points, other=0) != 0)
    else:
        owns = points & (second == 0)
        tl.store(owner + region, owns.to(tl.int8), mask=inside)
        add_up(chosen + image, owns)
    root = (points == 0) | (mutual & (second == 0))
    tl.store(parent + region, tl.where(root, region, target), mask=inside)


def choose(level: Level, settings: Settings) -> Choice:
    """The edge that each region chooses; and in the tally how many there are in each image."""
    if level.edges is None:
        return pointed(level, *strongest_of_pixels(level, settings))
    return pointed(level, *strongest_of_regions(level, settings))


def pointed(level: Level, best: Int64[Tensor, " n"], priority: Int64[Tensor, " n"]) -> Choice:
    """Regions that point along edges of these strengths and priorities; the tally counts them."""
    choice = Choice(
        best=best,
        priority=priority,
        owner=torch.empty_like(best, dtype=torch.int8),
        parent=torch.empty_like(best, dtype=torch.int32),
    )
    launch(
        point,
        *level.launched,
        priority=priority,
        table=level.table,
        keep=None,
        parent=choice.parent,
        owner=choice.owner,
        chosen=level.chosen,
        num_images=level.num_images,
        CUT=False,
    )
    return choice


def strongest_of_pixels(
    level: Level, settings: Settings
) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"]]:
    """Weight and priority of every pixel's strongest edge."""
    best, priority = level.table.new_empty(2, level.num_regions)
    launch(
        strongest_pixel_edges,
        *level.launched,
        features_q=level.sums,
        table=level.table,
        best=best,
        priority=priority,
        compactness=level.compactness,
        num_pixels=level.num_regions,
        num_images=level.num_images,
        CHANNELS=level.channels,
        SIMILARITY=settings.similarity_name,
        COMPACT=level.compactness is not None,
    )
    return best, priority


def strongest_of_regions(
    level: Level, settings: Settings
) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"]]:
    """Weight and priority of the strongest edge of every region that merges."""
    weights = weigh(level, settings.similarity_name)
    to_a_count = settings.num_tokens is not None
    if to_a_count:
        launch(
            count_merging,
            *level.launched,
            best=weights.best,
            self_weight=weights.self_loop,
            table=level.table,
            merging=level.merging,
            num_images=level.num_images,
        )
    return weights.best, highest_priorities(level, weights, to_a_count)


def highest_priorities(level: Level, weights: Weights, to_a_count: bool) -> Int64[Tensor, " n"]:
    """The highest priority among the strongest edges of each region that merges."""
    launch(
        strongest_edges,
        level.room,
        1,
        edges=level.edges,
        num_edges=level.num_edges,
        weights=weights.of_edges,
        best=weights.best,
        self_weight=weights.self_loop,
        image_of=weights.image,
        table=level.table,
        merging=level.merging,
        priority=weights.priority,
        room=level.room,
        num_images=level.num_images,
        ASIDE=to_a_count,
    )
    return weights.priority


# ---- METHOD 2.7: to an exact count ---------------------------------------------------------------


def keep_strongest(level: Level, choice: Choice, surplus: list[int]) -> None:
    """Of the chosen edges, leave each image its strongest, as many as it has regions too many."""
    counts, at_most = on_device([level.counts, surplus], level.table.device)
    launch(
        point,
        *level.launched,
        priority=choice.priority,
        table=level.table,
        keep=among_strongest(choice, counts, level.chosen, at_most),
        parent=choice.parent,
        owner=None,
        chosen=None,
        num_images=level.num_images,
        CUT=True,
    )


def among_strongest(
    choice: Choice,
    counts: Int64[Tensor, " B"],
    chosen: Int64[Tensor, " B"],
    at_most: Int64[Tensor, " B"],
) -> Bool[Tensor, " n"]:
    """Which owners' edges are among the `at_most` strongest of their image. Nothing waits.

    Args:
        choice: What the regions chose.
        counts: Regions of each image.
        chosen: Edges chosen in each image.
        at_most: How many to keep.
    """
    num_regions, num_images = choice.best.numel(), counts.numel()
    images = torch.arange(num_images, device=counts.device)
    image = images.repeat_interleave(counts, output_size=num_regions)
    image = torch.where(choice.owner != 0, image, num_images)  # the others come last
    # three stable sorts, last key first: by image, then weight, then priority
    order = choice.priority.argsort(descending=True, stable=True)
    order = order[choice.best[order].argsort(descending=True, stable=True)]
    order = order[image[order].argsort(stable=True)]
    none = chosen.new_zeros(1)
    image = image[order]
    rank = torch.arange(num_regions, device=counts.device)
    rank -= torch.cat([none, chosen.cumsum(0)])[image]
    keep = torch.empty_like(choice.owner, dtype=torch.bool)
    keep[order] = rank < torch.cat([at_most, none])[image]
    return keep
