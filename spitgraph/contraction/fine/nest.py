"""Partitions made to nest (METHOD 10.5): moves of pixels break those recorded before."""

from collections.abc import Sequence

from jaxtyping import Int64
from torch import Tensor

from spitgraph.contraction.select import number_by_first
from spitgraph.grid import connected_parts


def meet(
    fine: Int64[Tensor, "H W"], coarse: Int64[Tensor, "H W"]
) -> tuple[Int64[Tensor, "H W"], int]:
    """Connected parts of what two partitions have in common, numbered by their first pixels.

    And how many there are.
    """
    both = fine * (int(coarse.max()) + 1) + coarse
    number, count = number_by_first(connected_parts(both))
    return number.view_as(fine), count


def parent_maps(
    labels: Sequence[Int64[Tensor, "H W"]],
) -> tuple[list[Int64[Tensor, " _"]], list[int]]:
    """The hierarchy that ends at the last of some partitions.

    Each is met with the next, from the last one on. Those that become equal to the next are left
    out, the pixels themselves included.

    Returns:
        Parent maps from the pixels on, and how many regions there are, pixels included.
    """
    label = labels[-1]
    counts = [int(label.max()) + 1]
    maps: list[Tensor] = []
    for earlier in reversed(labels[:-1]):
        common, count = meet(earlier, label)
        if counts[0] < count < label.numel():
            maps.insert(0, parents(common, label, count))
            counts.insert(0, count)
            label = common
    return [label.flatten(), *maps], [label.numel(), *counts]


def parents(
    fine: Int64[Tensor, "H W"], coarse: Int64[Tensor, "H W"], num_regions: int
) -> Int64[Tensor, " _"]:
    """Region of the coarse partition of each of the fine one, which is nested in it."""
    parent = coarse.new_empty(num_regions)
    parent[fine.flatten()] = coarse.flatten()
    return parent
