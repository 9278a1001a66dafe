"""Triangles over the pixel grid, in eighths of a pixel, exactly."""

import torch
from jaxtyping import Int64
from torch import Tensor

#: Eighths: what coordinates of triangles are counted in, to a pixel.
UNIT = 8


def rows_within(
    triangles: Int64[Tensor, "n 3 2"], offset: int
) -> tuple[Int64[Tensor, " m"], Int64[Tensor, " m"], Int64[Tensor, " m"], Int64[Tensor, " m"]]:
    """Which points of a grid lie in triangles, their sides included, row by row.

    Args:
        triangles: (x, y) of their corners, in eighths of a pixel.
        offset: Where the grid is: at 8·k + offset eighths, so 0 for corners of pixels and 4 for
            their centres.

    Returns:
        For each triangle and row that it reaches: the triangle, the row, and its first and last
        column. The last is before the first where there are none.
    """
    y = triangles[..., 1]
    low = _up(y.amin(1) - offset, UNIT)
    count = (_down(y.amax(1) - offset, UNIT) - low + 1).clamp(min=0)
    number = torch.arange(len(triangles), device=y.device).repeat_interleave(count)
    row = torch.arange(len(number), device=y.device) - (count.cumsum(0) - count)[number]
    row = row + low[number]
    at = row * UNIT + offset
    none = torch.iinfo(torch.int64).max // 4
    first, last = torch.full_like(row, none), torch.full_like(row, -none)
    for one, other in ((0, 1), (1, 2), (2, 0)):
        x, y = triangles[number, one].unbind(1)
        to_x, to_y = triangles[number, other].unbind(1)
        rise = to_y - y
        meets = (torch.minimum(y, to_y) <= at) & (at <= torch.maximum(y, to_y))
        # x of the side in this row, as a fraction; of one that lies in it, both ends are other's
        steps = torch.where(rise < 0, y - at, at - y)
        rise = rise.abs()
        flat = rise == 0
        rise = torch.where(flat, 1, rise)
        place = (x - offset) * rise + torch.where(flat, 0, steps) * (to_x - x)
        first = torch.where(meets, torch.minimum(first, _up(place, rise * UNIT)), first)
        last = torch.where(meets, torch.maximum(last, _down(place, rise * UNIT)), last)
    return number, row, first, last


def _down(value: Tensor, by: Tensor | int) -> Tensor:
    return torch.div(value, by, rounding_mode="floor")


def _up(value: Tensor, by: Tensor | int) -> Tensor:
    return -torch.div(-value, by, rounding_mode="floor")
