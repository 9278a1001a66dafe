"""Edges between the regions of the next level; compare `spitgraph.contraction.connect`.

Parallel edges weigh the same and have the same priority, so that a few of them do no harm. A hash
table of fixed size and few probes keeps nearly all of them out, where a sort would be exact but
slow. The order of the edges is of no account either.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs

import torch
import triton
import triton.language as tl
from jaxtyping import Int32, Int64
from torch import Tensor

from spitgraph.contraction.cuda.level import Level
from spitgraph.kernels.cuda.jit import kernel, launch, mix
from spitgraph.kernels.cuda.programs import next_pixel, own_pixels, own_row, reserved

#: An empty slot of the table, and what no slot ever holds.
EMPTY = tl.constexpr(-1)
NEVER = tl.constexpr(-2)
#: Slots of the table for every region, at least. Planar graphs have under 3 edges a region.
SLOTS_PER_REGION = 4
PROBES = tl.constexpr(4)


@kernel
def merge_pixel_edges(
    cluster, table, slots, edges, num_edges, num_slots, room, num_images, BLOCK: tl.constexpr
):
    """Edges between clusters of pixels, from the right and the lower side of every pixel."""
    image, start, count, height, width, local, y, x, inside = own_pixels(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    one = tl.load(cluster + start + local, mask=inside, other=0)
    for side in tl.static_range(2):
        beside, there = next_pixel(side, local, y, x, height, width, inside)
        other = tl.load(cluster + start + beside, mask=there, other=0)
        add_edges(one, other, there, local, slots, edges, num_edges, num_slots, room)


@kernel
def merge_edges(
    cluster, old_edges, num_old_edges, old_room, slots, edges, num_edges, num_slots, room,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Edges between clusters of regions, from the edges between regions."""
    edge, inside = own_row(tl.load(num_old_edges), BLOCK)
    one, other = clusters_of_ends(cluster, old_edges, edge, inside, old_room)
    add_edges(one, other, inside, edge, slots, edges, num_edges, num_slots, room)


@kernel
def load_ends(edges, edge, inside, room):
    """The regions at both ends of edges, of a list that has so much room."""
    u = tl.load(edges + edge, mask=inside, other=0)
    v = tl.load(edges + room.to(tl.int64) + edge, mask=inside, other=0)
    return u, v


@kernel
def clusters_of_ends(cluster, edges, edge, inside, room):
    """The clusters of the regions at both ends of edges."""
    u, v = load_ends(edges, edge, inside, room)
    one = tl.load(cluster + u, mask=inside, other=0)
    other = tl.load(cluster + v, mask=inside, other=0)
    return one, other


@kernel
def add_edges(one, other, there, lane, slots, edges, num_edges, num_slots, room):
    """Append edges between different clusters that are not there yet, the smaller number first."""
    u = tl.minimum(one, other)
    v = tl.maximum(one, other)
    new = first_of_its_kind(u, v, there & (u != v), lane, slots, num_slots)
    place = reserved(num_edges, new)
    tl.store(edges + place, u, mask=new)
    tl.store(edges + room.to(tl.int64) + place, v, mask=new)


@kernel
def first_of_its_kind(u, v, asked, lane, slots, num_slots):
    """Whether an edge is not in the table yet, as far as a few probes tell; and put it there."""
    key = (u.to(tl.int64) << 32) | v.to(tl.int64)
    # the compare-and-swap takes no mask: lanes that ask nothing compare in vain, each elsewhere
    slot = tl.where(asked, mix(key), lane) & (num_slots - 1)  # their number is a power of two
    open_ = asked
    fresh = tl.zeros(u.shape, tl.int1)
    for _ in tl.static_range(PROBES):
        found = tl.atomic_cas(
            slots + slot,
            tl.where(open_, EMPTY, NEVER).to(tl.int64),
            tl.where(open_, key, NEVER),
            sem="relaxed",
        )
        fresh = fresh | (open_ & (found == EMPTY))
        open_ = open_ & (found != EMPTY) & (found != key)
        slot = (slot + 1) & (num_slots - 1)
    return fresh | open_


def connect(level: Level, old: Level, cluster: Int32[Tensor, " n"], num_old_edges: int) -> None:
    """Fill in the edges of a level.

    Args:
        level: Whose edges are wanted.
        old: The level before.
        cluster: Region of every region of the level before.
        num_old_edges: Edges of the level before, if it is not the grid.
    """
    slots = empty_slots(level.num_regions, cluster.device)
    room = 2 * old.num_regions if old.edges is None else num_old_edges
    level.edges = torch.empty(2, room, dtype=torch.int32, device=cluster.device)
    if old.edges is None:
        launch(
            merge_pixel_edges,
            *old.launched,
            cluster=cluster,
            table=old.table,
            slots=slots,
            edges=level.edges,
            num_edges=level.num_edges,
            num_slots=len(slots),
            room=room,
            num_images=old.num_images,
        )
    else:
        launch(
            merge_edges,
            num_old_edges,
            1,
            cluster=cluster,
            old_edges=old.edges,
            num_old_edges=old.num_edges,
            old_room=old.room,
            slots=slots,
            edges=level.edges,
            num_edges=level.num_edges,
            num_slots=len(slots),
            room=room,
        )


def empty_slots(num_clusters: int, device: torch.device) -> Int64[Tensor, " S"]:
    """A hash table for the edges between so many clusters."""
    num_slots = triton.next_power_of_2(SLOTS_PER_REGION * num_clusters)
    return torch.full((num_slots,), EMPTY.value, dtype=torch.int64, device=device)
