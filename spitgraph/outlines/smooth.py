"""Arcs as smooth curves that cross no more than the arcs do."""

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from spitgraph.outlines.arcs import Arcs
from spitgraph.outlines.triangles import UNIT, rows_within

#: How far from a point its curve may begin, in eighths of the way to the next point, best first.
SHARES = (4, 2, 1)


def smooth(arcs: Arcs, reach: float) -> Int64[Tensor, " P"]:
    """How far each point of the arcs is rounded off.

    A rounded point v between a and b becomes the quadratic Bézier curve from p = v + s/8 (a − v) to
    q = v + s/8 (b − v) with v as its control point; s = 4, half-way to both neighbours, makes
    a run of such points a uniform quadratic B-spline. It leaves v at a distance of
    s/8 · |2v − a − b| / 4, which may be no more than `reach`: s is the largest of 4, 2 and 1 of
    which that is true, and where it is true of none, the border turns there and stays a corner.

    A curve lies in the triangle p, v, q. It is made only where no other point of any arc is in that
    triangle, its sides included; where one is, the next smaller s is tried. Arcs do not cross, and
    to enter such a triangle they would have to, so a curve meets neither other arcs nor their
    curves. Junctions and the frame stay as they are.

    Of arcs as traced, and with a reach of half a pixel, no pixel's centre changes sides.

    Args:
        arcs: Traced, or simplified.
        reach: In pixels.

    Returns:
        [P] int64, s of each point in `arcs.points`; 0 of those that are not rounded.
    """
    before, after, is_free = neighbours(arcs)
    is_free &= ~arcs.on_the_frame[arcs.of_points]
    here = arcs.points
    share = torch.zeros_like(arcs.corners)
    bend = (2 * here - before - after).double().norm(dim=1)
    points = _points_in_rows(arcs)
    for eighths in SHARES:
        fits = is_free & (share == 0) & (bend > 0) & (bend * eighths <= 4 * UNIT * reach)
        tried = fits.nonzero().view(-1)
        sides = [eighths * (end[tried] - here[tried]) for end in (before, after)]
        begin, end = (UNIT * here[tried] + side for side in sides)
        triangles = torch.stack([begin, UNIT * here[tried], end], dim=1)
        share[tried[_alone(triangles, points)]] = eighths
    return share


def neighbours(
    arcs: Arcs,
) -> tuple[Int64[Tensor, "P 2"], Int64[Tensor, "P 2"], Bool[Tensor, " P"]]:
    """The points before and after each, and whether a point has both and is no junction.

    The first point of a closed arc without a junction comes after its last but one.
    """
    points, heads, tails = arcs.points, arcs.heads, arcs.tails
    before, after = points.roll(1, 0), points.roll(-1, 0)
    before[heads], after[tails] = points[tails - 1], points[heads + 1]
    ends = torch.cat([heads, tails])
    corner = arcs.corners
    _, which, counts = corner[ends].unique(return_inverse=True, return_counts=True)
    closed = corner[heads] == corner[tails]
    is_round = closed & (counts[which[: len(arcs)]] == 2)
    is_free = torch.ones_like(corner, dtype=torch.bool)
    is_free[heads] = is_free[tails] = is_round
    return before, after, is_free


def _points_in_rows(arcs: Arcs) -> Int64[Tensor, "H_1 W_2"]:
    """How many points lie left of each pixel corner in its row, corner W + 1 included."""
    there = torch.zeros(
        arcs.height + 1, arcs.width + 2, dtype=torch.int64, device=arcs.points.device
    )
    x, y = arcs.points.unbind(1)
    there[y, x + 1] = 1
    return there.cumsum(1)


def _alone(
    triangles: Int64[Tensor, "n 3 2"], points: Int64[Tensor, "H_1 W_2"]
) -> Bool[Tensor, " n"]:
    """Whether no point is in a triangle but the one it is made of."""
    number, row, first, last = rows_within(triangles, offset=0)
    held = last >= first
    number, row, first, last = number[held], row[held], first[held], last[held]
    count = points[row, last + 1] - points[row, first]
    total = count.new_zeros(len(triangles)).index_add_(0, number, count)
    return total == 1
