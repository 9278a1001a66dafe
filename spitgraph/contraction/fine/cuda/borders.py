"""Borders between regions: who touches whom, how long, and how different (METHOD 10.1).

Parallel edges are added up, so that here, unlike in `spitgraph.contraction.cuda.connect`, all of
them have to be found: a sort brings them together.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs

import torch
import triton.language as tl
from jaxtyping import Int32, Int64, Shaped
from torch import Tensor

from spitgraph.contraction.cuda.connect import clusters_of_ends
from spitgraph.contraction.cuda.level import Level
from spitgraph.kernels.cuda.jit import kernel, launch
from spitgraph.kernels.cuda.programs import next_pixel, own_pixels, own_row, reserved

#: The pair of an edge within a region: behind all others.
NO_PAIR = tl.constexpr(2**63 - 1)


@kernel
def pair_of(one, other, there):
    """One number for two regions in any order; `NO_PAIR` where they are the same."""
    u = tl.minimum(one, other).to(tl.int64)
    v = tl.maximum(one, other).to(tl.int64)
    return tl.where(there & (u != v), (u << 32) | v, NO_PAIR)


@kernel
def list_sides(
    label, evidence, table, pairs, apart, num_sides, num_pixels, num_images, BLOCK: tl.constexpr
):
    """Append every pixel side between two regions, and its evidence."""
    image, start, count, height, width, local, y, x, inside = own_pixels(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    pixel = start + local
    one = tl.load(label + pixel, mask=inside, other=0)
    for side in tl.static_range(2):
        beside, there = next_pixel(side, local, y, x, height, width, inside)
        pair = pair_of(one, tl.load(label + start + beside, mask=there, other=0), there)
        found = pair != NO_PAIR
        row = evidence + side * num_pixels.to(tl.int64)
        place = reserved(num_sides, found)
        tl.store(pairs + place, pair, mask=found)
        tl.store(apart + place, tl.load(row + pixel, mask=found, other=0), mask=found)


@kernel
def relabelled_pairs(edges, num_edges, cluster, pairs, room, BLOCK: tl.constexpr):
    """The clusters of every edge's ends, as a pair."""
    edge, inside = own_row(num_edges, BLOCK)
    one, other = clusters_of_ends(cluster, edges, edge, inside, room)
    tl.store(pairs + edge, pair_of(one, other, inside), mask=inside)


@kernel
def add_parallel(
    pairs, order, so_far, length, evidence, edges, border, room,
    SIDES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Add what edges of the same two regions have to one edge; `border` is 0 before.

    Pairs are sorted: `order` says where each was in `length` and `evidence`, `so_far` how many
    different ones there are up to it. With SIDES lengths are 1, and not read.
    """
    at, inside = own_row(room, BLOCK)
    pair = tl.load(pairs + at, mask=inside, other=NO_PAIR)
    there = pair != NO_PAIR
    old = tl.load(order + at, mask=there, other=0)
    place = tl.load(so_far + at, mask=there, other=1) - 1
    rows = room.to(tl.int64)
    tl.store(edges + place, (pair >> 32).to(tl.int32), mask=there)
    tl.store(edges + rows + place, (pair & 0xFFFFFFFF).to(tl.int32), mask=there)
    sides = tl.full([BLOCK], 1, tl.int64)
    if not SIDES:
        sides = tl.load(length + old, mask=there, other=0)
    apart = tl.load(evidence + old, mask=there, other=0).to(tl.int64)
    tl.atomic_add(border + place, sides, mask=there, sem="relaxed")
    tl.atomic_add(border + rows + place, apart, mask=there, sem="relaxed")


def list_borders(
    level: Level, pixels: Level, label: Int32[Tensor, " P"], evidence: Int32[Tensor, "2 P"]
) -> Int64[Tensor, "2 m"]:
    """Fill in the edges of a partition's regions; length and evidence of each.

    The host waits once, for the number of pixel sides between regions.

    Args:
        level: The regions.
        pixels: All of the batch.
        label: Region of each.
        evidence: Of the sides between pixels.
    """
    pairs = pixels.table.new_empty(2 * pixels.num_regions)
    apart = evidence.new_empty(2 * pixels.num_regions)
    num_sides = pairs.new_zeros(1)
    launch(
        list_sides,
        *pixels.launched,
        label=label,
        evidence=evidence,
        table=pixels.table,
        pairs=pairs,
        apart=apart,
        num_sides=num_sides,
        num_pixels=pixels.num_regions,
        num_images=pixels.num_images,
    )
    return added_up(level, pairs[: int(num_sides)], None, apart)  # the host waits here


def merge_borders(
    level: Level,
    old: Level,
    border: Int64[Tensor, "2 m"],
    cluster: Int32[Tensor, " n"],
    num_old_edges: int,
) -> Int64[Tensor, "2 _m"]:
    """Fill in the edges of a level; length and evidence of each.

    Args:
        level: Whose edges are wanted.
        old: The level before.
        border: Length and evidence of its edges.
        cluster: Region of every region of the level before.
        num_old_edges: Edges of the level before.
    """
    pairs = border.new_empty(num_old_edges)
    launch(
        relabelled_pairs,
        num_old_edges,
        1,
        edges=old.edges,
        num_edges=num_old_edges,
        cluster=cluster,
        pairs=pairs,
        room=old.room,
    )
    return added_up(level, pairs, border[0], border[1])


def added_up(
    level: Level,
    pairs: Int64[Tensor, " m"],
    length: Int64[Tensor, " _"] | None,
    evidence: Shaped[Tensor, " _"],
) -> Int64[Tensor, "2 m"]:
    """Fill in a level's edges from pairs in any order, with repeats; their lengths and evidence."""
    room = len(pairs)
    level.edges = torch.empty(2, room, dtype=torch.int32, device=pairs.device)
    border = pairs.new_zeros(2, room)
    if not room:
        return border
    pairs, order = pairs.sort()
    is_first = torch.ones_like(pairs, dtype=torch.bool)
    torch.ne(pairs[1:], pairs[:-1], out=is_first[1:])
    is_first &= pairs != NO_PAIR.value
    so_far = is_first.cumsum(0)
    level.num_edges.copy_(so_far[-1:])
    launch(
        add_parallel,
        room,
        1,
        pairs=pairs,
        order=order,
        so_far=so_far,
        length=length,
        evidence=evidence,
        edges=level.edges,
        border=border,
        room=room,
        SIDES=length is None,
    )
    return border
