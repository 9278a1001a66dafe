"""Chains and circles of elements that each know the one before: who is first, and how far away."""

import torch
from jaxtyping import Int64
from torch import Tensor


def chained(
    before: Int64[Tensor, " n"], key: Int64[Tensor, " n"]
) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"]]:
    """First element of the chain that each one is in, and its place there, counted from 0.

    By pointer doubling, in O(log n) rounds: every element looks twice as far ahead in each (list
    ranking; Wyllie, The Complexity of Parallel Computations, 1979).

    Args:
        before: The element before each; the first of a chain names itself. Every other element is
            before at most one.
        key: Different numbers. A circle, which has no first element, begins at the smallest.
    """
    first, place, circling = _followed(before, torch.arange(len(before), device=before.device))
    if len(circling):
        before = before.clone()
        begins = circling[_lowest(before, key, circling) == key[circling]]
        before[begins] = begins
        first[circling], place[circling] = before[circling], 1
        place[begins] = 0
        first, place, _ = _followed(before, circling, first, place)
    return first, place


def _followed(
    before: Int64[Tensor, " n"],
    members: Int64[Tensor, " m"],
    first: Int64[Tensor, " n"] | None = None,
    place: Int64[Tensor, " n"] | None = None,
) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"], Int64[Tensor, " _"]]:
    """First elements and places of the members of chains; and which members go round in circles."""
    if first is None or place is None:
        first = before.clone()
        place = (before != members).to(torch.int64)
    underway = members[before[first[members]] != first[members]]
    reach = 1
    while len(underway) and reach < len(members):
        ahead = first[underway]
        place[underway] += place[ahead]
        first[underway] = first[ahead]
        ahead = first[underway]
        underway = underway[before[ahead] != ahead]
        reach *= 2
    return first, place, underway


def _lowest(
    before: Int64[Tensor, " n"], key: Int64[Tensor, " n"], circling: Int64[Tensor, " m"]
) -> Int64[Tensor, " m"]:
    """Smallest key of the circle that each of these elements is in."""
    number = torch.empty_like(before)
    number[circling] = torch.arange(len(circling), device=before.device)
    ahead, lowest, reach = number[before[circling]], key[circling], 1
    while reach < len(circling):
        lowest = torch.minimum(lowest, lowest[ahead])
        ahead = ahead[ahead]
        reach *= 2
    return lowest
