"""Owen values of a game whose players are the leaves of a tree: exact, or by drawn orders.

All regions of the tree's last level are under one root.
"""

from collections.abc import Callable
from math import factorial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from spitgraph.hierarchy import Hierarchy

#: What coalitions are worth: masks [M, N] → [M] float64.
Game = Callable[[Tensor], Tensor]


class Gains(NamedTuple):
    """What is to be known of a game to say what the n regions of a level add.

    Attributes:
        level: t.
        region: [K] int64, which of them.
        without: [K, N], the leaves that are there before it is.
        weight: [K], adding up to 1 for every region.
    """

    level: int
    region: Int64[Tensor, " K"]
    without: Bool[Tensor, "K N"]
    weight: Float64[Tensor, " K"]


def owen_values(
    game: Game, tree: Hierarchy, samples: int, generator: torch.Generator
) -> Float64[Tensor, " N"]:
    """Owen values of the N leaves, adding up to what all are worth beyond none.

    Where `samples` cover them, all coalitions that they depend on are evaluated. Otherwise regions
    are players, level by level, from the top: a region gets the mean of what it adds, in all orders
    or in drawn ones (each followed by its reverse) in which those of a region come one after the
    other. What the regions of a parent have together is then brought to what the parent has, in
    proportion to their leaves. This is unbiased, and coarse regions, of which many orders tell, are
    known better than fine ones. Levels get about equal parts of the samples; those so fine that
    these would not hold an order and its reverse are left out: leaves share what their region has.

    Args:
        game: What coalitions are worth.
        tree: Of one image, on the CPU; its leaves are the players.
        samples: Coalitions that may be evaluated, beside all and none.
        generator: What orders are drawn from.
    """
    plan = planned(tree, samples, generator)
    num_leaves = len(tree.cluster)
    ends = torch.tensor([[False], [True]]).expand(2, num_leaves)
    masks = [ends]
    for gains in plan:
        masks += [gains.without, gains.without | members(tree, gains.level)[gains.region]]
    worth = game(torch.cat(masks)).double().split([len(mask) for mask in masks])
    total = worth[0][1] - worth[0][0]
    values = (total / num_leaves).expand(num_leaves)  # of the leaves, as far as it is known
    for gains, without, with_it in zip(plan, worth[1::2], worth[2::2], strict=True):
        level = gains.level
        found = total.new_zeros(tree.num_regions(level)[0])
        found.index_add_(0, gains.region, gains.weight * (with_it - without))
        per_leaf = tree.lift(found / tree.sizes(level), level)
        coarser = _coarser(plan, gains, tree)
        values = per_leaf + values - _mean(per_leaf, coarser)
    return values


def planned(tree: Hierarchy, samples: int, generator: torch.Generator) -> list[Gains]:
    """What is evaluated, from coarse levels to fine ones; see `owen_values`."""
    if num_coalitions(tree, 0) <= samples:
        return [every_order(tree, 0)]
    for finest in range(len(tree.parents) + 1):
        orders = allotted(tree, finest, samples)
        if all(count is None or count >= 2 for count in orders.values()):
            return [
                every_order(tree, level)
                if count is None
                else drawn_orders(tree, level, count, generator)
                for level, count in orders.items()
            ]
    return []


def allotted(tree: Hierarchy, finest: int, samples: int) -> dict[int, int | None]:
    """How many orders are drawn of each level down to the finest; None where all are covered.

    Levels get equal parts of what those before them have left.
    """
    orders: dict[int, int | None] = {}
    for level in range(len(tree.parents), finest - 1, -1):
        share, needed = samples // (level - finest + 1), num_coalitions(tree, level)
        if needed <= share:
            orders[level] = None
            samples -= needed
        else:
            an_order = tree.num_regions(level)[0] - 1
            orders[level] = count = share // an_order
            samples -= count * an_order
    return orders


def num_coalitions(tree: Hierarchy, level: int) -> int:
    """How many coalitions the values of a level's regions depend on, at most, beside all and none.

    A region whose k children may be there or not, and which is seen with c sets of others, needs
    c·2ᵏ; each child is then seen with c·2ᵏ⁻¹.
    """
    contexts = [1]  # of the regions one level up, the root first
    for children in _children(tree, level):
        needed = [c << len(some) for c, some in zip(contexts, children, strict=True)]
        below = {child: n >> 1 for n, some in zip(needed, children, strict=True) for child in some}
        contexts = [below[child] for child in sorted(below)]
    return sum(needed) - 2


def every_order(tree: Hierarchy, level: int) -> Gains:
    """All that regions of a level can find before them, and how often they do."""
    seen = [(torch.zeros(1, len(tree.cluster), dtype=torch.bool), torch.ones(1).double())]
    top = len(tree.parents)
    for t, children in zip(range(top, level - 1, -1), _children(tree, level), strict=True):
        leaves, below = members(tree, t), {}
        for (masks, weights), some in zip(seen, children, strict=True):
            for child in some:
                others = torch.tensor([other for other in some if other != child], dtype=torch.long)
                subsets, share = _subsets(len(others))
                there = (subsets.double() @ leaves[others].double()) > 0  # [2ᵏ⁻¹, N]
                below[child] = (
                    (masks[:, None] | there).flatten(0, 1),
                    (weights[:, None] * share).flatten(),
                )
        seen = [below[child] for child in sorted(below)]
    counts = torch.tensor([len(weights) for _, weights in seen])
    return Gains(
        level,
        torch.arange(len(seen)).repeat_interleave(counts),
        torch.cat([masks for masks, _ in seen]),
        torch.cat([weights for _, weights in seen]),
    )


def drawn_orders(tree: Hierarchy, level: int, count: int, generator: torch.Generator) -> Gains:
    """What regions of a level find before them in so many drawn orders."""
    regions, partition = tree.num_regions(level)[0], tree.partition(level)
    ranks: list[Tensor] = []
    while len(ranks) < count:
        rank = drawn_ranks(tree, level, generator)
        ranks += [rank, regions - 1 - rank]
    rank = torch.stack(ranks[:count])  # [orders, regions]
    before = rank[:, None, :] < rank[:, :, None]  # [orders, region, other]
    return Gains(
        level,
        torch.arange(regions).repeat(count),
        before[:, :, partition].flatten(0, 1),
        torch.full((count * regions,), 1 / count, dtype=torch.float64),
    )


def drawn_ranks(tree: Hierarchy, level: int, generator: torch.Generator) -> Int64[Tensor, " n"]:
    """Each region's place in an order in which those of a parent follow, all equally likely."""
    parents, rank = tree.parents, torch.zeros(1, dtype=torch.int64)
    for t in range(len(parents), level - 1, -1):
        regions = tree.num_regions(t)[0]
        parent = parents[t] if t < len(parents) else torch.zeros(regions, dtype=torch.int64)
        shuffled = torch.randperm(regions, generator=generator, device=generator.device).cpu()
        order = shuffled[rank[parent][shuffled].argsort(stable=True)]
        rank = torch.empty_like(order)
        rank[order] = torch.arange(regions)
    return rank


def members(tree: Hierarchy, level: int) -> Bool[Tensor, "n N"]:
    """The leaves of each region of a level."""
    return torch.arange(tree.num_regions(level)[0])[:, None] == tree.partition(level)


def _children(tree: Hierarchy, level: int) -> list[list[list[int]]]:
    """From the root on, the children of each region, down to those of a level."""
    top = len(tree.parents)
    generations = [[list(range(tree.num_regions(top)[0]))]]
    for t in range(top - 1, level - 1, -1):
        some: list[list[int]] = [[] for _ in range(tree.num_regions(t + 1)[0])]
        for child, parent in enumerate(tree.parents[t].tolist()):
            some[parent].append(child)
        generations.append(some)
    return generations


def _subsets(others: int) -> tuple[Bool[Tensor, "s k"], Float64[Tensor, " s"]]:
    """All subsets of so many others, and how often exactly these come before one."""
    number = torch.arange(2**others)
    subsets = (number[:, None] >> torch.arange(others)) % 2 == 1
    share = [
        factorial(s) * factorial(others - s) / factorial(others + 1) for s in range(others + 1)
    ]
    return subsets, torch.tensor(share, dtype=torch.float64)[subsets.sum(1)]


def _coarser(plan: list[Gains], gains: Gains, tree: Hierarchy) -> Int64[Tensor, " N"]:
    """The region of each leaf, of the level that was valued before."""
    before = [other.level for other in plan if other.level > gains.level]
    return tree.partition(min(before)) if before else torch.zeros_like(tree.cluster)


def _mean(values: Float64[Tensor, " N"], region: Int64[Tensor, " N"]) -> Float64[Tensor, " N"]:
    """Mean over the leaves of each one's region."""
    sums = values.new_zeros(int(region.max()) + 1).index_add(0, region, values)
    return (sums / region.bincount())[region]
