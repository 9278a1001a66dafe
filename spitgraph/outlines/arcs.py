"""The borders of a label map, each traced once.

Coordinates are those of pixel corners, x to the right and y downwards: pixel (y, x) is the square
between (x, y) and (x + 1, y + 1).
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor

from spitgraph.outlines.chains import chained
from spitgraph.tensors import ordered_labels

#: The region around the picture.
OUTSIDE = -1
#: Directions of a side, clockwise: a turn to the right adds one.
EAST, SOUTH, WEST, NORTH = range(4)


@dataclass(frozen=True)
class Arcs:
    """The borders of a partition: each between two regions, or of one and the outside.

    An arc runs from junction to junction, or around where it meets none; a junction is a pixel
    corner where three or four sides of borders meet. Each lies between the same two regions all the
    way, has the one of the larger number on its right hand, and turns at every point between its
    ends. The outside has number −1 and is on the left.

    Attributes:
        points: [P, 2] int64, (x, y) of the corners of all arcs, one after the other. A closed arc
            has its first point again as its last; the leftmost of the topmost ones.
        start: [A + 1] int64, where in `points` each arc starts, and P.
        left: [A] int64, region on the left hand.
        right: [A] int64, region on the right hand.
        height: H, in pixels.
        width: W, in pixels.
    """

    points: Int64[Tensor, "P 2"]
    start: Int64[Tensor, " A_1"]
    left: Int64[Tensor, " A"]
    right: Int64[Tensor, " A"]
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.left)

    @property
    def lengths(self) -> Int64[Tensor, " A"]:
        """[A] int64, points of each arc."""
        return self.start.diff()

    @property
    def heads(self) -> Int64[Tensor, " A"]:
        """[A] int64, where in `points` the first point of each arc is."""
        return self.start[:-1]

    @property
    def tails(self) -> Int64[Tensor, " A"]:
        """[A] int64, where in `points` the last point of each arc is."""
        return self.start[1:] - 1

    @property
    def of_points(self) -> Int64[Tensor, " P"]:
        """[P] int64, the arc of each point."""
        number = torch.arange(len(self), device=self.start.device)
        return number.repeat_interleave(self.lengths)

    @property
    def on_the_frame(self) -> Bool[Tensor, " A"]:
        """[A] bool, whether an arc is part of the picture's frame."""
        return self.left == OUTSIDE

    @property
    def corners(self) -> Int64[Tensor, " P"]:
        """[P] int64, number of the pixel corner that each point is: y·(W + 1) + x."""
        return self.points[:, 1] * (self.width + 1) + self.points[:, 0]


def trace(labels: Any) -> Arcs:
    """The borders between the regions of a label map, and around it, each traced once.

    Sides of pixels between two regions are strung together, each to the one that ends where it
    begins, unless that is a junction; all at once, by pointer doubling.

    Args:
        labels: [H, W] integers, tensor or array; ≥ 0. Regions need not be connected. Numbers may
            have gaps.

    Raises:
        TypeError: Labels are not integers.
        ValueError: They are no map, an empty one, masked, or some are negative.
    """
    labels = checked_labels(labels)
    height, width = labels.shape
    padded = labels.new_full((height + 2, width + 2), OUTSIDE)
    padded[1:-1, 1:-1] = labels
    across = padded[:-1, 1:-1] != padded[1:, 1:-1]  # [H + 1, W], sides between two rows
    down = padded[1:-1, :-1] != padded[1:-1, 1:]  # [H, W + 1], sides between two columns
    is_junction = _sides_at_corners(across, down).view(-1) > 2
    begin, end, left, right, direction = _directed_sides(padded, across, down)

    number = torch.arange(len(begin), device=labels.device)
    ending_at = torch.empty_like(is_junction, dtype=torch.int64)
    ending_at[end] = number  # of one side only, where there is no junction
    before = torch.where(is_junction[begin], number, ending_at[begin])
    first, place = chained(before, key=begin)

    heads = (place == 0).nonzero().view(-1)
    arc_of_head = torch.empty_like(before)
    arc_of_head[heads] = torch.arange(len(heads), device=labels.device)
    arc = arc_of_head[first]
    sides = torch.bincount(arc, minlength=len(heads))
    order = torch.empty_like(before)
    order[(sides.cumsum(0) - sides)[arc] + place] = number

    # a point where an arc begins, one where it turns, one where it ends
    direction, place = direction[order], place[order]
    turns = place == 0
    turns[1:] |= direction[1:] != direction[:-1]
    turning = order[turns]
    counts = torch.bincount(arc[turning], minlength=len(heads)) + 1
    start = starts(counts)
    tails = start[1:] - 1
    corner = torch.empty(int(start[-1]), dtype=torch.int64, device=labels.device)
    inner = torch.ones_like(corner, dtype=torch.bool)
    inner[tails] = False
    corner[inner] = begin[turning]
    corner[tails] = end[order[sides.cumsum(0) - 1]]
    points = torch.stack(
        [corner % (width + 1), corner.div(width + 1, rounding_mode="floor")], dim=1
    )
    return Arcs(points, start, left[heads], right[heads], height, width)


def checked_labels(labels: Any) -> Int64[Tensor, "H W"]:
    """A label map, or an error that says what came instead."""
    ordered = ordered_labels(labels)
    if ordered is None:
        raise TypeError(
            f"labels must be a tensor or array of integers [H, W], got "
            f"{getattr(labels, 'dtype', type(labels).__name__)}"
        )
    if ordered.dim() != 2 or not ordered.numel():
        raise ValueError(f"labels must be [H, W], not empty, got {list(ordered.shape)}")
    if ordered.min() < 0:
        raise ValueError(f"labels must be ≥ 0, got {int(ordered.min())}")
    return ordered


def starts(counts: Int64[Tensor, " A"]) -> Int64[Tensor, " A_1"]:
    """Where parts of these lengths start, one after the other, and where the last ends."""
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def _sides_at_corners(
    across: Bool[Tensor, "H_1 W"], down: Bool[Tensor, "H W_1"]
) -> Shaped[Tensor, "H_1 W_1"]:
    """How many sides of borders meet at each pixel corner: 0, 2, 3 or 4."""
    shape = (across.shape[0], down.shape[1])
    count = torch.zeros(shape, dtype=torch.uint8, device=across.device)
    count[:, :-1] += across
    count[:, 1:] += across
    count[:-1] += down
    count[1:] += down
    return count


def _directed_sides(
    padded: Int64[Tensor, "H_2 W_2"], across: Bool[Tensor, "H_1 W"], down: Bool[Tensor, "H W_1"]
) -> tuple[Int64[Tensor, " S"], ...]:
    """Of every side: corners where it begins and ends, regions left and right, and its direction.

    The region of the larger number is on the right hand.
    """
    row = down.shape[1]  # corners in a row
    y, x = across.nonzero().unbind(1)
    above, below = padded[y, x + 1], padded[y + 1, x + 1]
    low, goes_on = y * row + x, above < below
    parts = [(low, low + 1, above, below, goes_on, EAST, WEST)]
    y, x = down.nonzero().unbind(1)
    west, east = padded[y + 1, x], padded[y + 1, x + 1]
    low, goes_on = y * row + x, east < west
    parts.append((low, low + row, west, east, goes_on, SOUTH, NORTH))
    sides = [
        (
            torch.where(goes_on, low, high),
            torch.where(goes_on, high, low),
            torch.minimum(one, other),
            torch.maximum(one, other),
            torch.where(goes_on, ahead, back),
        )
        for low, high, one, other, goes_on, ahead, back in parts
    ]
    return tuple(torch.cat(part) for part in zip(*sides, strict=True))
