"""Batches filled to a total of tokens, evenly over processes."""

import heapq
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from spitgraph.checks import integer
from spitgraph.train.data.samplers import EpochSampler


class TokenBudgetSampler(EpochSampler):
    """Batches of at most so many tokens, of pictures whose counts are known.

    The pictures of an epoch, in an order drawn by (seed, epoch), are cut into as many stretches of
    equal total as there are steps; in each, the largest picture first, every one goes to the
    process that has fewest tokens yet. With T the total, m the largest count and R processes, no
    process gets more than T/(SR) + m tokens in any of S steps (Graham 1969), and S is the least
    number for which that is within the budget: the same in every epoch and every process. Where the
    budget is less than 2m, batches are filled one after the other instead.

    Batches are on average as full as a share 1 − m/B of the budget B: where it is few times the
    largest picture, a good part of it stays empty.

    Every picture comes once an epoch. Only where there are fewer pictures than batches, up to R − 1
    come twice.

    Args:
        counts: Tokens of each picture.
        tokens_per_batch: The most that a batch of one process may have.
        num_replicas: Processes; by default those of torch.distributed, or 1.
        rank: Which one this is.
        shuffle: Whether the order is drawn; otherwise it is kept.
        seed: See `shuffle`.
        max_images: The most pictures of a batch: each counts as at least so great a part of the
            budget.

    Raises:
        ValueError, TypeError: A number is no whole number or outside its range, a picture is above
            the budget, or there are fewer pictures than processes.
    """

    def __init__(
        self,
        counts: Any,
        tokens_per_batch: int,
        *,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        max_images: int | None = None,
    ) -> None:
        super().__init__(num_replicas, rank, shuffle=shuffle, seed=seed)
        self.budget = integer(tokens_per_batch, "tokens_per_batch")
        self.costs = checked_counts(counts, self.budget)
        if len(self.costs) < self.num_replicas:
            raise ValueError(
                f"{len(self.costs)} pictures are too few for {self.num_replicas} processes"
            )
        if max_images is not None:
            share = math.ceil(self.budget / integer(max_images, "max_images"))
            self.costs = np.maximum(self.costs, share)
        self._steps = self._fewest_steps()

    def __len__(self) -> int:
        return self._steps

    @property
    def _is_tight(self) -> bool:
        return 2 * int(self.costs.max()) > self.budget

    def _fewest_steps(self) -> int:
        total, largest, replicas = int(self.costs.sum()), int(self.costs.max()), self.num_replicas
        if self._is_tight:  # two batches, one after the other, have more than the budget together
            steps = -(-(2 * total // self.budget + 1) // replicas)
        else:
            steps = -(-total // (replicas * (self.budget - largest)))
        return min(steps, -(-len(self.costs) // replicas))

    def batches(self, epoch: int) -> Sequence[np.ndarray]:
        """See `EpochSampler`."""
        return [step[self.rank] for step in self.all_batches(epoch)]

    def all_batches(self, epoch: int) -> list[list[np.ndarray]]:
        """Indices of each batch of an epoch, by step and process."""
        order = self._order(epoch, len(self.costs))
        pack = one_after_the_other if self._is_tight else evenly
        steps = pack(order, self.costs[order], self._steps, self.num_replicas, self.budget)
        fill_empty([batch for step in steps for batch in step], order)
        return [[np.array(batch, dtype=np.int64) for batch in step] for step in steps]


def checked_counts(counts: Any, budget: int) -> np.ndarray:
    """Counts as an array, if they are such, and none is above the budget."""
    held = np.asarray(counts.cpu() if isinstance(counts, torch.Tensor) else counts)
    if held.ndim != 1 or not len(held) or not np.issubdtype(held.dtype, np.integer):
        raise TypeError(f"counts must be whole numbers [n], got {held.dtype} {list(held.shape)}")
    if held.min() < 1:
        raise ValueError(f"counts must be at least 1, got {held.min()} of picture {held.argmin()}")
    if held.max() > budget:
        raise ValueError(
            f"picture {held.argmax()} has {held.max()} tokens, and a batch at most {budget}"
        )
    return held.astype(np.int64)


def evenly(
    order: np.ndarray, costs: np.ndarray, steps: int, replicas: int, budget: int
) -> list[list[list[int]]]:
    """Stretches of equal totals, each divided by the rule of the longest first."""
    middles = costs.cumsum() - costs / 2
    ends = np.searchsorted(middles, costs.sum() * np.arange(1, steps) / steps)
    stretches = zip(np.split(order, ends), np.split(costs, ends), strict=True)
    return [longest_first(indices, own, replicas) for indices, own in stretches]


def longest_first(indices: np.ndarray, costs: np.ndarray, replicas: int) -> list[list[int]]:
    """Pictures for each process: the largest first, to the one that has least (Graham 1969)."""
    if replicas == 1:
        return [indices.tolist()]
    batches: list[list[int]] = [[] for _ in range(replicas)]
    loads = [(0, rank) for rank in range(replicas)]
    for place in np.argsort(-costs, kind="stable").tolist():
        load, rank = loads[0]
        batches[rank].append(int(indices[place]))
        heapq.heapreplace(loads, (load + int(costs[place]), rank))
    return batches


def one_after_the_other(
    order: np.ndarray, costs: np.ndarray, steps: int, replicas: int, budget: int
) -> list[list[list[int]]]:
    """Batches filled in turn, each until the next picture does not fit."""
    batches: list[list[int]] = [[]]
    load = 0
    for index, cost in zip(order.tolist(), costs.tolist(), strict=True):
        if load + cost > budget:
            batches.append([])
            load = 0
        batches[-1].append(index)
        load += cost
    batches += [[] for _ in range(steps * replicas - len(batches))]
    return [batches[step * replicas : (step + 1) * replicas] for step in range(steps)]


def fill_empty(batches: list[list[int]], order: np.ndarray) -> None:
    """Give batches without pictures one, of those that have several, or else a second time."""
    empty = [batch for batch in batches if not batch]
    several = [(-len(batch), place) for place, batch in enumerate(batches) if len(batch) > 1]
    heapq.heapify(several)
    for batch, again in zip(empty, order.tolist(), strict=False):
        if not several:
            batch.append(again)
            continue
        size, place = several[0]
        batch.append(batches[place].pop())
        if size + 1 < -1:
            heapq.heapreplace(several, (size + 1, place))
        else:
            heapq.heappop(several)
