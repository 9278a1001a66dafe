"""Which rings belong together: an outer one with the holes in it is a piece of its region."""

import torch
from jaxtyping import Int64
from torch import Tensor

from spitgraph.outlines.arcs import Arcs
from spitgraph.outlines.rings import Rings, ring_points


def outer_rings(arcs: Arcs, rings: Rings) -> Int64[Tensor, " R"]:
    """For each ring the outer ring of its piece, which is itself where it is no hole.

    Args:
        arcs: As traced, not simplified: a hole is placed by a pixel beside it.
        rings: Of these.
    """
    number = torch.arange(len(rings), device=rings.region.device)
    num_regions = int(rings.region.max()) + 1
    outer, is_hole = number[~rings.is_hole], rings.is_hole
    first_outer = number.new_zeros(num_regions)
    region = rings.region[outer].flip(0)
    first_outer[region] = outer.flip(0)  # the first is written last
    count = torch.bincount(region, minlength=num_regions)
    owner = torch.where(is_hole, first_outer[rings.region], number)
    for hole in number[is_hole & (count[rings.region] > 1)].tolist():
        first = int(first_outer[rings.region[hole]])
        candidates = range(first, first + int(count[rings.region[hole]]))
        owner[hole] = _innermost(arcs, rings, hole, candidates)
    return owner


def _innermost(arcs: Arcs, rings: Rings, hole: int, candidates: range) -> int:
    """The smallest of these outer rings that are around a hole."""
    x, y = _pixel_beside(arcs, rings, hole)
    around = []
    for ring in candidates:
        points = ring_points(arcs, rings, ring)
        after = points.roll(-1, 0)
        # sides that a ray from the pixel's centre to the left passes; those are all upright
        passed = (points[:, 0] <= x) & ((points[:, 1] <= y) != (after[:, 1] <= y))
        if passed.sum() % 2:
            area = (points[:, 0] * after[:, 1] - after[:, 0] * points[:, 1]).sum()
            around.append((int(area), ring))
    return min(around)[1]


def _pixel_beside(arcs: Arcs, rings: Rings, ring: int) -> tuple[int, int]:
    """(x, y) of the pixel on the right hand of a ring's first side."""
    start, then = ring_points(arcs, rings, ring)[:2]
    (x, y), (ahead_x, ahead_y) = start.tolist(), (then - start).sign().tolist()
    right_x, right_y = -ahead_y, ahead_x
    return x + min(ahead_x + right_x, 0), y + min(ahead_y + right_y, 0)
