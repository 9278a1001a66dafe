"""Edges between the regions of the next level; compare `spitgraph.contraction.connect`.

Parallel edges weigh the same and have the same priority, so that a few of them do no harm. A hash
table of fixed size and few probes keeps nearly all of them out, where a sort would be exact but
slow. The order of the edges is of no account either.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs

import torch
import triton
import triton.language as tl
from jaxtyping import Int64
from torch import Tensor

from spitgraph.kernels.cuda.jit import kernel, mix

#: An empty slot of the table, and what no slot ever holds.
EMPTY = tl.constexpr(-1)
NEVER = tl.constexpr(-2)
#: Slots of the table for every region, at least. Planar graphs have under 3 edges a region.
SLOTS_PER_REGION = 4
PROBES = tl.constexpr(4)


def empty_slots(num_clusters: int, device: torch.device) -> Int64[Tensor, " S"]:
    """A hash table for the edges between so many clusters."""
    num_slots = triton.next_power_of_2(SLOTS_PER_REGION * num_clusters)
    return torch.full((num_slots,), EMPTY.value, dtype=torch.int64, device=device)


@kernel
def connect_pixels(
    cluster, table, slots, edges, edge_count, num_slots, num_room, num_images, BLOCK: tl.constexpr
):
    """Edges between clusters of pixels, from the right and the lower side of every pixel."""
    image = tl.program_id(1)
    start = tl.load(table + image).to(tl.int32)
    height = tl.load(table + 2 * num_images + image).to(tl.int32)
    width = tl.load(table + 3 * num_images + image).to(tl.int32)
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
        add_edges(one, other, there, local, slots, edges, edge_count, num_slots, num_room)


@kernel
def connect_regions(
    cluster, old_edges, old_count, slots, edges, edge_count, num_old_room, num_slots, num_room,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Edges between clusters of regions, from the edges between regions."""
    edge = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    there = edge < tl.load(old_count)
    u = tl.load(old_edges + edge, mask=there, other=0)
    v = tl.load(old_edges + num_old_room.to(tl.int64) + edge, mask=there, other=0)
    one = tl.load(cluster + u, mask=there, other=0)
    other = tl.load(cluster + v, mask=there, other=0)
    add_edges(one, other, there, edge, slots, edges, edge_count, num_slots, num_room)


@kernel
def add_edges(one, other, there, lane, slots, edges, edge_count, num_slots, num_room):
    """Append edges between different clusters that are not there yet, the smaller number first."""
    u = tl.minimum(one, other)
    v = tl.maximum(one, other)
    new = first_of_its_kind(u, v, there & (u != v), lane, slots, num_slots).to(tl.int32)
    before = tl.cumsum(new, 0) - new
    room = tl.atomic_add(edge_count, tl.sum(new, 0).to(tl.int64), sem="relaxed")
    place = room + before
    tl.store(edges + place, u, mask=new != 0)
    tl.store(edges + num_room.to(tl.int64) + place, v, mask=new != 0)


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
