"""Which regions merge with which (METHOD 10.3); compare `spitgraph.contraction.fine.select`."""
# mypy: allow-untyped-defs, allow-incomplete-defs

import torch
import triton.language as tl
from jaxtyping import Int64
from torch import Tensor

from spitgraph.contraction.cuda.level import Level
from spitgraph.contraction.cuda.rows import NO_PRIORITY, NO_WEIGHT
from spitgraph.contraction.cuda.select import Choice, highest_priorities, other_end, pointed
from spitgraph.contraction.fine import rule
from spitgraph.contraction.fine.cuda.costs import weigh
from spitgraph.kernels.cuda.jit import kernel, launch, on_device
from spitgraph.kernels.cuda.programs import own_elements, starts

#: In place of the strength from which an image's pairs merge: in which all regions do; all pairs
#: do, strengths being positive; and none.
ALL = NO_WEIGHT
PAIRS = 1
NONE = 2**63 - 1


@kernel
def hold_back(best, priority, least, table, left, num_images, BLOCK: tl.constexpr):
    """Leave the priorities of edges that both ends chose, if they are strong enough.

    `least` has for each image the strength from which pairs merge; or `ALL`, where all regions do,
    whether their neighbour chose them or not. Regions that wait get `NO_PRIORITY`.
    """
    image, start, count, local, inside = own_elements(table, num_images, BLOCK)
    if tl.program_id(0) * BLOCK >= count:
        return
    region = start + local
    rank = tl.load(priority + region, mask=inside, other=NO_PRIORITY)
    points = inside & (rank != NO_PRIORITY)
    other = tl.where(points, start + other_end(rank, local), region)
    mutual = points & (tl.load(priority + other, mask=points, other=NO_PRIORITY) == rank)
    limit = tl.load(least + image)
    strong = tl.load(best + region, mask=inside, other=NO_WEIGHT) >= limit
    merges = (limit == ALL) | (mutual & strong)
    tl.store(left + region, tl.where(merges, rank, NO_PRIORITY), mask=inside)


def cheapest_of_regions(
    level: Level, border: Int64[Tensor, "2 m"], weights: Int64[Tensor, " C"]
) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"]]:
    """Strength and priority of the cheapest edge of every region.

    Args:
        level: The regions.
        border: Length and evidence of their edges.
        weights: What each channel counts.
    """
    edges = weigh(level, border, weights)
    return edges.best, highest_priorities(level, edges, to_a_count=False)


def choose(
    level: Level,
    best: Int64[Tensor, " n"],
    priority: Int64[Tensor, " n"],
    all_merge: list[bool],
    surplus: list[int],
) -> Choice:
    """The edge that each region contracts; and in the tally how many there are in each image.

    Args:
        level: The regions.
        best: Strength of the cheapest edge of each.
        priority: Its priority.
        all_merge: Whether all regions of an image merge, and not only cheap pairs.
        surplus: Regions that it has too many. Where it has none, all wait.
    """
    if not (all(all_merge) and all(surplus)):
        left = torch.empty_like(priority)
        launch(
            hold_back,
            *level.launched,
            best=best,
            priority=priority,
            least=least_strengths(best, level.counts, all_merge, surplus),
            table=level.table,
            left=left,
            num_images=level.num_images,
        )
        priority = left
    return pointed(level, best, priority)


def least_strengths(
    best: Int64[Tensor, " n"], counts: list[int], all_merge: list[bool], surplus: list[int]
) -> Int64[Tensor, " B"]:
    """Of each image, how strong an edge must be to be contracted: an order statistic.

    Every region of an image that has several touches another, so that all have an edge.
    """
    device = best.device
    of, out_of = rule.SHARE
    instead, place = [], []
    for start, count, everywhere, excess in zip(
        starts(counts), counts, all_merge, surplus, strict=True
    ):
        many = count > rule.FEW * (count - excess)
        instead.append(NONE if not excess else ALL.value if everywhere else PAIRS if many else 0)
        place.append(start + max(-(-of * count // out_of) - 1, 0))
    fixed, places, numbers = on_device([instead, place, counts], device)
    ranked = best.sort(descending=True)
    if len(counts) == 1:
        strengths = ranked.values[places]
    else:
        images = torch.arange(len(counts), device=device)
        image = images.repeat_interleave(numbers, output_size=len(best))[ranked.indices]
        strengths = ranked.values[image.argsort(stable=True)[places]]
    return torch.where(fixed != 0, fixed, strengths)
