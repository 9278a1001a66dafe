"""Arcs as the path data of SVG: each written once a direction, and put together by rings."""

from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor

from spitgraph.outlines.arcs import Arcs, starts
from spitgraph.outlines.rings import Rings
from spitgraph.outlines.smooth import neighbours
from spitgraph.outlines.triangles import UNIT

#: What a step of a path is: a straight line, the control point of a curve, its end, or the end of
#: one whose control point mirrors that of the last (SVG's l, q and t).
LINE, CONTROL, END, GOING_ON = range(4)
#: Bits that a coordinate of a step is packed in.
BITS = 30


def path_data(arcs: Arcs, rings: Rings, shares: Int64[Tensor, " P"] | None = None) -> list[str]:
    """Path data of each ring, whose numbers are all integers.

    The steps of an arc are relative and made of the same numbers in both directions, so that two
    regions have their border in common to the last digit.

    Args:
        arcs: Traced, or simplified; in pixels.
        rings: Of these.
        shares: How far points are rounded off (see `smooth`). Coordinates are then in eighths of a
            pixel.

    Returns:
        A closed subpath of each ring, without fill rule: holes run against their outer rings.
    """
    forward = _written(arcs, shares)
    back = _written(*_reversed(arcs, shares))
    data = []
    ends = rings.start.tolist()
    all_passages = rings.arc.tolist()
    for start, end in zip(ends, ends[1:], strict=False):
        passages = all_passages[start:end]
        first = passages[0]
        x, y = forward.begin[first] if first >= 0 else back.begin[-1 - first]
        steps = [forward.steps[a] if a >= 0 else back.steps[-1 - a] for a in passages]
        data.append(f"M{x}{'' if y < 0 else ' '}{y}{''.join(steps)}z")
    return data


class _Written(NamedTuple):
    begin: list[list[int]]
    steps: list[str]


def _written(arcs: Arcs, shares: Int64[Tensor, " P"] | None) -> _Written:
    """Where the path of each arc begins, and its steps."""
    unit = 1 if shares is None else UNIT
    before, after, _ = neighbours(arcs)
    share = torch.zeros_like(arcs.corners) if shares is None else shares
    corner, share = unit * arcs.points, share[:, None]
    into = corner + share * (before - arcs.points)  # where the curve at each point begins
    out = corner + share * (after - arcs.points)  # and ends
    is_curve = share[:, 0] > 0

    # of each point but the first of an arc: the line to it, and its curve
    last, here = torch.arange(len(corner) - 1), torch.arange(1, len(corner))
    inner = torch.ones(len(corner), dtype=torch.bool)
    inner[arcs.heads] = False
    last, here = last[inner[1:]], here[inner[1:]]
    line = into[here] - out[last]
    control, end = corner[here] - into[here], out[here] - into[here]
    has_line, has_curve = (line != 0).any(1), is_curve[here]
    follows = is_curve[last] & inner[last] & ~has_line
    goes_on = has_curve & follows & (out[last] - corner[last] == control).all(1)
    steps = [(LINE, line), (CONTROL, control), (END, end)]
    present = torch.stack([has_line, has_curve & ~goes_on, has_curve], dim=1)  # [n, 3]
    kinds = torch.tensor([kind for kind, _ in steps]).expand(len(here), 3).clone()
    kinds[goes_on, 2] = GOING_ON
    moves = torch.stack([step for _, step in steps], dim=1)[present]  # [S, 2]
    words = _words(kinds[present], moves)
    counts = torch.bincount(arcs.of_points[here], present.sum(1).double(), len(arcs)).long()
    ends = starts(counts).tolist()
    strings = ["".join(words[start:stop]) for start, stop in zip(ends, ends[1:], strict=False)]
    return _Written(out[arcs.heads].tolist(), strings)


def _words(kind: Int64[Tensor, " S"], move: Int64[Tensor, "S 2"]) -> list[str]:
    """Each step as text; equal ones are written once."""
    half = 1 << (BITS - 1)
    packed = (kind << 2 * BITS) + ((move[:, 0] + half) << BITS) + (move[:, 1] + half)
    different, which = packed.unique(return_inverse=True)
    mask = (1 << BITS) - 1
    kinds = (different >> 2 * BITS).tolist()
    across = (((different >> BITS) & mask) - half).tolist()
    down = ((different & mask) - half).tolist()
    words = [_word(*step) for step in zip(kinds, across, down, strict=True)]
    return [words[number] for number in which.tolist()]


def _word(kind: int, x: int, y: int) -> str:
    if kind == LINE and not y:
        return f"h{x}"
    if kind == LINE and not x:
        return f"v{y}"
    pair = f"{x}{y}" if y < 0 else f"{x} {y}"
    if kind == END:
        return pair if x < 0 else " " + pair
    return {LINE: "l", CONTROL: "q", GOING_ON: "t"}[kind] + pair


def _reversed(
    arcs: Arcs, shares: Int64[Tensor, " P"] | None
) -> tuple[Arcs, Int64[Tensor, " P"] | None]:
    """The same arcs, passed the other way round."""
    place = torch.arange(len(arcs.points), device=arcs.points.device)
    arc = arcs.of_points
    order = arcs.heads[arc] + arcs.tails[arc] - place
    turned = Arcs(arcs.points[order], arcs.start, arcs.right, arcs.left, arcs.height, arcs.width)
    return turned, None if shares is None else shares[order]
