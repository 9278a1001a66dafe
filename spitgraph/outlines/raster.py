"""The label map that arcs and curves give: the region in which each pixel's centre lies."""

import torch
from jaxtyping import Int64
from torch import Tensor

from spitgraph.outlines.arcs import Arcs
from spitgraph.outlines.smooth import neighbours
from spitgraph.outlines.triangles import UNIT, rows_within


def region_map(arcs: Arcs, shares: Int64[Tensor, " P"] | None = None) -> Int64[Tensor, "H W"]:
    """Region in which the centre of each pixel lies; exactly, in integers.

    Of arcs as traced, it is the label map. Where a border passes through a centre, that belongs to
    the region on its right-hand side in the picture.

    Args:
        arcs: Traced, or simplified.
        shares: How far points are rounded off (see `smooth`); by default not at all.
    """
    labels = _between_lines(arcs)
    if shares is not None:
        _cut_off(labels, arcs, shares)
    return labels


def _between_lines(arcs: Arcs) -> Int64[Tensor, "H W"]:
    """Region at each pixel's centre, borders being straight from point to point."""
    here, after = arcs.points, arcs.points.roll(-1, 0)
    crosses = here[:, 1] != after[:, 1]
    crosses[arcs.tails] = False
    arc = arcs.of_points[crosses]
    downwards = (after[:, 1] > here[:, 1])[crosses]
    high = torch.where(downwards[:, None], here[crosses], after[crosses])
    low = torch.where(downwards[:, None], after[crosses], here[crosses])
    region = torch.where(downwards, arcs.left[arc], arcs.right[arc])  # right of it in the picture

    count = low[:, 1] - high[:, 1]
    number = torch.arange(len(count), device=count.device).repeat_interleave(count)
    step = torch.arange(len(number), device=count.device) - (count.cumsum(0) - count)[number]
    row = high[number, 1] + step
    run, rise = (low - high)[number, 0], count[number]
    # x − ½ of the border at the centres' height is place / (2 rise)
    place = (2 * high[number, 0] - 1) * rise + (2 * step + 1) * run
    column = -torch.div(-place, 2 * rise, rounding_mode="floor")
    order = torch.argsort(place.double() / (2 * rise), stable=True)
    order = order[torch.argsort(row[order], stable=True)]
    order = order[column[order] < arcs.width]
    pixel = (row * arcs.width + column)[order]
    is_last = torch.ones_like(pixel, dtype=torch.bool)
    is_last[:-1] = pixel[1:] != pixel[:-1]
    source = torch.zeros(arcs.height * arcs.width, dtype=torch.int64, device=pixel.device)
    source[pixel[is_last]] = pixel[is_last]
    source = source.cummax(0).values
    labels = torch.empty_like(source)
    labels[pixel[is_last]] = region[number[order[is_last]]]
    return labels[source].view(arcs.height, arcs.width)


def _cut_off(labels: Int64[Tensor, "H W"], arcs: Arcs, shares: Int64[Tensor, " P"]) -> None:
    """Give the pixels between curves and the points they leave to the region around those."""
    before, after, _ = neighbours(arcs)
    rounded = shares.nonzero().view(-1)
    share, corner = shares[rounded, None], UNIT * arcs.points[rounded]
    begin = corner + share * (before[rounded] - arcs.points[rounded])
    end = corner + share * (after[rounded] - arcs.points[rounded])
    number, row, first, last = rows_within(torch.stack([begin, corner, end], 1), offset=UNIT // 2)
    count = (last - first + 1).clamp(min=0)
    span = torch.arange(len(count), device=count.device).repeat_interleave(count)
    column = torch.arange(len(span), device=count.device) - (count.cumsum(0) - count)[span]
    number, row, column = number[span], row[span], column + first[span]
    centre = torch.stack([column, row], 1) * UNIT + UNIT // 2
    # barycentric coordinates u, v, w: the curve is v² = 4uw (Loop and Blinn, Resolution
    # independent curve rendering using programmable graphics hardware, 2005)
    p, c, q = (corners[number] - centre for corners in (begin, corner, end))
    outside = _cross(q, p) ** 2 > 4 * _cross(c, q) * _cross(p, c)
    arc = arcs.of_points[rounded[number[outside]]]
    turns_right = _cross(c - p, q - c)[outside] > 0
    other = torch.where(turns_right, arcs.left[arc], arcs.right[arc])
    labels[row[outside], column[outside]] = other


def _cross(one: Int64[Tensor, "n 2"], other: Int64[Tensor, "n 2"]) -> Int64[Tensor, " n"]:
    return one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]
