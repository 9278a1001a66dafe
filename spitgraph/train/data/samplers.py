"""Which pictures make a batch, epoch after epoch, on one process or several.

Samplers yield lists of keys (epoch, index), so that workers need not be told the epoch.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Sampler

from spitgraph.checks import boolean, integer
from spitgraph.train.draws import epoch_order


class EpochSampler(Sampler[list[tuple[int, int]]]):
    """Batches of one epoch, from a position on.

    It stays at its epoch until `set_epoch` says the next, as Lightning does by itself.

    Attributes:
        epoch: Which one.
        start: Batches of it that are left out, since they were seen before a restart.
    """

    def __init__(
        self, num_replicas: int | None, rank: int | None, *, shuffle: bool, seed: int
    ) -> None:
        there, own = processes()
        self.num_replicas = integer(there if num_replicas is None else num_replicas, "num_replicas")
        self.rank = integer(own if rank is None else rank, "rank", minimum=0)
        if self.rank >= self.num_replicas:
            raise ValueError(f"rank must be below {self.num_replicas}, got {self.rank}")
        self.shuffle, self.seed = boolean(shuffle, "shuffle"), integer(seed, "seed", minimum=None)
        self.epoch = self.start = 0

    @abstractmethod
    def __len__(self) -> int:
        """Batches of an epoch: as many in each, and in each process."""

    @abstractmethod
    def batches(self, epoch: int) -> Sequence[np.ndarray]:
        """Indices of each batch of an epoch that this process gets."""

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch = self.epoch
        for batch in self.batches(epoch)[self.start :]:
            yield [(epoch, index) for index in batch.tolist()]

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch's begin; where it is this one already, stay at the position in it."""
        if epoch != self.epoch:
            self.epoch, self.start = integer(epoch, "epoch", minimum=0), 0

    @property
    def sampler(self) -> "EpochSampler":
        """This one: where Lightning looks for what it tells the epoch."""
        return self

    def state_dict(self) -> dict[str, int]:
        """Where it begins."""
        return self.position(self.epoch, self.start)

    def position(self, epoch: int, batch: int) -> dict[str, int]:
        """After so many batches of an epoch: after the last, the begin of the next."""
        ended = batch >= len(self)
        return {"epoch": epoch + ended, "batch": 0 if ended else batch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Begin where it says."""
        self.epoch = integer(state["epoch"], "epoch", minimum=0)
        self.start = integer(state["batch"], "batch", minimum=0)

    def _order(self, epoch: int, count: int) -> np.ndarray:
        return epoch_order(self.seed, epoch, count) if self.shuffle else np.arange(count)


class EpochBatches(EpochSampler):
    """Batches of so many pictures, which processes share.

    A batch is the same pictures whatever the number of processes; process r gets each n-th of them
    from the r-th on. All have the same number of batches. What is left for the last batch is
    dropped (`drop_last`), or makes a smaller one; if it is fewer pictures than processes, it joins
    the batch before.

    Args:
        count: Pictures.
        batch_size: Of all processes together.
        num_replicas: Processes; by default those of torch.distributed, or 1.
        rank: Which one this is.
        shuffle: Whether the order is drawn by (seed, epoch); otherwise it is kept.
        seed: See `shuffle`.
        drop_last: See above.

    Raises:
        ValueError, TypeError: A number is no whole number or outside its range, there are fewer
            pictures than processes, or than a batch has where the rest is dropped.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        *,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        super().__init__(num_replicas, rank, shuffle=shuffle, seed=seed)
        self.count = integer(count, "count")
        self.batch_size = integer(batch_size, "batch_size")
        self.drop_last = boolean(drop_last, "drop_last")
        for what, value in (("count", self.count), ("batch_size", self.batch_size)):
            if value < self.num_replicas:
                raise ValueError(
                    f"{what} must be at least that of processes, {self.num_replicas}, got {value}"
                )
        if drop_last and self.count < self.batch_size:
            raise ValueError(f"drop_last leaves nothing of {count} pictures by {batch_size}")

    def _starts(self) -> list[int]:
        """Where batches begin, and the last one ends."""
        full, rest = divmod(self.count, self.batch_size)
        starts = [batch * self.batch_size for batch in range(full + 1)]
        if rest and not self.drop_last:
            if full and rest < self.num_replicas:
                starts[-1] = self.count
            else:
                starts.append(self.count)
        return starts

    def __len__(self) -> int:
        return len(self._starts()) - 1

    def batches(self, epoch: int) -> Sequence[np.ndarray]:
        """See `EpochSampler`."""
        order, starts = self._order(epoch, self.count), self._starts()
        return [
            order[begin + self.rank : end : self.num_replicas]
            for begin, end in zip(starts, starts[1:], strict=False)
        ]


def processes() -> tuple[int, int]:
    """How many processes there are, and which this is."""
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_world_size(), distributed.get_rank()
    return 1, 0
