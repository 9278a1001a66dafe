"""Arcs strung together to the rings of each region: outer ones and holes."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from spitgraph.outlines.arcs import OUTSIDE, Arcs, starts
from spitgraph.outlines.chains import chained


@dataclass(frozen=True)
class Rings:
    """The rings of all regions, each with its region on the right hand.

    No ring passes a corner twice: those of a region that touches itself at a corner are parted
    there. Pieces of a region that only touch at corners have rings of their own.

    Attributes:
        arc: [U] int64, the arcs of all rings, one ring after the other; a number a of its own
            where arc a is passed from its first point to its last, and −1 − a the other way round.
        start: [R + 1] int64, where in `arc` each ring starts, and U.
        region: [R] int64, in ascending order; outer rings of a region come before its holes.
        is_hole: [R] bool, whether the ring goes around a hole.
    """

    arc: Int64[Tensor, " U"]
    start: Int64[Tensor, " R_1"]
    region: Int64[Tensor, " R"]
    is_hole: Bool[Tensor, " R"]

    def __len__(self) -> int:
        return len(self.region)


def rings_of(arcs: Arcs, parent: Int64[Tensor, " N"] | None = None) -> Rings:
    """The rings of the regions that arcs are the borders of, or of what these merge into.

    Args:
        arcs: See `trace`.
        parent: Region of the next level that each region becomes part of: arcs within one of
            these are left out. By default regions are as they are.
    """
    uses, begin, end, region, first_side, last_side = _passages(arcs, parent)
    ahead = _next(begin, end, region, first_side, last_side)
    ahead = _parted(ahead, begin, _circles(ahead)[0])
    ring, place = _circles(ahead)

    area = _twice_the_areas(arcs)[torch.where(uses < 0, -1 - uses, uses)]
    area = torch.where(uses < 0, -area, area)
    heads, ring = ring.unique(return_inverse=True)
    area = area.new_zeros(len(heads)).index_add_(0, ring, area)
    # by region, outer rings first, then by where they begin
    is_hole = area < 0
    rank = torch.argsort(region[heads] * 2 + is_hole, stable=True)
    number = torch.empty_like(rank)
    number[rank] = torch.arange(len(rank), device=rank.device)
    ring = number[ring]
    start = starts(torch.bincount(ring, minlength=len(heads)))
    arc = torch.empty_like(uses)
    arc[start[ring] + place] = uses
    return Rings(arc, start, region[heads][rank], is_hole[rank])


def points_of_rings(arcs: Arcs, rings: Rings) -> tuple[Int64[Tensor, " Q"], Int64[Tensor, " Q"]]:
    """The points of all rings, each ring's last one being before its first; and whose they are.

    Returns:
        [Q], where in `arcs.points` each is, and [Q], its ring.
    """
    device = rings.arc.device
    arc = torch.where(rings.arc < 0, -1 - rings.arc, rings.arc)
    counts = arcs.lengths[arc] - 1  # the next arc begins where this one ends
    passage = torch.arange(len(arc), device=device).repeat_interleave(counts)
    place = torch.arange(len(passage), device=device) - (counts.cumsum(0) - counts)[passage]
    forward, back = arcs.heads[arc][passage] + place, arcs.tails[arc][passage] - place
    ring = torch.arange(len(rings), device=device).repeat_interleave(rings.start.diff())
    return torch.where(rings.arc[passage] < 0, back, forward), ring[passage]


def ring_points(arcs: Arcs, rings: Rings, ring: int) -> Int64[Tensor, "Q 2"]:
    """The points of one ring; its last one is before its first."""
    parts = []
    for arc in rings.arc[rings.start[ring] : rings.start[ring + 1]].tolist():
        number = arc if arc >= 0 else -1 - arc
        points = arcs.points[arcs.start[number] : arcs.start[number + 1]]
        parts.append((points if arc >= 0 else points.flip(0))[:-1])
    return torch.cat(parts)


def _passages(arcs: Arcs, parent: Int64[Tensor, " N"] | None) -> tuple[Int64[Tensor, " U"], ...]:
    """Every way of passing an arc with a region on the right hand.

    Returns:
        The arc (see `Rings.arc`), where it begins and ends, the region, and the directions of its
        first and last side.
    """
    left, right = arcs.left, arcs.right
    if parent is not None:
        left = torch.where(left == OUTSIDE, left, parent[left.clamp(min=0)])
        right = parent[right]
    number = torch.arange(len(arcs), device=left.device)
    forward, back = number[left != right], number[(left != right) & (left != OUTSIDE)]
    corner = arcs.corners
    first, last = corner[arcs.heads], corner[arcs.tails]
    leaving = _direction(arcs.points[arcs.heads + 1] - arcs.points[arcs.heads])
    arriving = _direction(arcs.points[arcs.tails] - arcs.points[arcs.tails - 1])
    around = (arriving + 2) % 4, (leaving + 2) % 4  # of the way back
    return (
        torch.cat([forward, -1 - back]),
        torch.cat([first[forward], last[back]]),
        torch.cat([last[forward], first[back]]),
        torch.cat([right[forward], left[back]]),
        torch.cat([leaving[forward], around[0][back]]),
        torch.cat([arriving[forward], around[1][back]]),
    )


def _direction(step: Int64[Tensor, "n 2"]) -> Int64[Tensor, " n"]:
    """0 … 3 for east, south, west, north."""
    x, y = step.sign().unbind(1)
    return torch.where(y == 0, 1 - x, 2 - y)


def _next(
    begin: Int64[Tensor, " U"],
    end: Int64[Tensor, " U"],
    region: Int64[Tensor, " U"],
    first_side: Int64[Tensor, " U"],
    last_side: Int64[Tensor, " U"],
) -> Int64[Tensor, " U"]:
    """The passage that follows each around its region: as far to the right as there is one.

    So rings keep to the pixels that they go around, and those that touch at a corner stay apart.
    """
    corners, where = torch.unique(torch.cat([begin, end]), return_inverse=True)
    begin, end = where[: len(begin)], where[len(begin) :]
    leaving = begin.new_full((len(corners) * 4,), -1)
    leaving[begin * 4 + first_side] = torch.arange(len(begin), device=begin.device)
    following = torch.full_like(begin, -1)
    for turn in (-1, 0, 1):  # the rightmost is written last
        candidate = leaving[end * 4 + (last_side + turn) % 4]
        fits = (candidate >= 0) & (region[candidate] == region)
        following = torch.where(fits, candidate, following)
    return following


def _circles(ahead: Int64[Tensor, " U"]) -> tuple[Int64[Tensor, " U"], Int64[Tensor, " U"]]:
    """First passage of the ring that each is in, and its place there."""
    number = torch.arange(len(ahead), device=ahead.device)
    before = torch.empty_like(ahead)
    before[ahead] = number
    return chained(before, key=number)


def _parted(
    ahead: Int64[Tensor, " U"], begin: Int64[Tensor, " U"], ring: Int64[Tensor, " U"]
) -> Int64[Tensor, " U"]:
    """What follows each passage once rings that pass a corner twice are parted there.

    A ring does not cross itself, so that its passages of corners are nested, and each exchange
    makes one ring two.
    """
    order = torch.argsort(ring, stable=True)
    order = order[torch.argsort(begin[order], stable=True)]
    same = (begin[order][1:] == begin[order][:-1]) & (ring[order][1:] == ring[order][:-1])
    one, other = order[:-1][same], order[1:][same]
    before = torch.empty_like(ahead)
    before[ahead] = torch.arange(len(ahead), device=ahead.device)
    ahead = ahead.clone()
    ahead[before[one]], ahead[before[other]] = other, one
    return ahead


def _twice_the_areas(arcs: Arcs) -> Int64[Tensor, " A"]:
    """What each arc adds to twice the signed area of a ring: Σ (x_i y_{i+1} − x_{i+1} y_i).

    Positive in all around a region on the right hand, since y points downwards.
    """
    x, y = arcs.points.unbind(1)
    cross = x[:-1] * y[1:] - x[1:] * y[:-1]
    cross = torch.cat([cross, cross.new_zeros(1)])
    cross[arcs.tails] = 0
    return cross.new_zeros(len(arcs)).index_add_(0, arcs.of_points, cross)
