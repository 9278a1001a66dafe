"""A data loader that says where it is, and begins there."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from spitgraph.train.data.examples import Collate, Examples
from spitgraph.train.data.samplers import EpochSampler


class ResumableLoader(DataLoader[Examples]):
    """Batches of a sampler, of which it knows how many were handed out.

    Workers are ahead of that; their examples are functions of their keys, so nothing is lost with
    them. What PyTorch draws for workers comes from a generator of the loader's own.

    Args:
        examples: By key.
        sampler: Lists of keys.
        collate: What makes a batch of them.
        workers: Processes beside this one; they stay from epoch to epoch.
        note: Called with every batch as it is handed out.
        consumed: Says how many batches of this epoch have been learned from, where that is not how
            many were handed out.

    Attributes:
        waited: Seconds that went by between asking for batches and having them.
    """

    def __init__(
        self,
        examples: Dataset[Any],
        sampler: EpochSampler,
        collate: Collate,
        workers: int = 0,
        note: Callable[[Examples], None] | None = None,
        consumed: Callable[[], int | None] | None = None,
    ) -> None:
        super().__init__(
            examples,
            batch_sampler=sampler,
            collate_fn=collate,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator().manual_seed(sampler.seed & 2**63 - 1),
        )
        self.keys, self._note, self._consumed = sampler, note, consumed
        self._epoch: int | None = None
        self._handed = 0
        self.waited = 0.0

    def __iter__(self) -> Iterator[Examples]:  # type: ignore[override]
        sampler = self.keys
        self._epoch, self._handed = sampler.epoch, sampler.start
        batches = super().__iter__()
        for batch in self._timed(one_ahead(batches) if self.num_workers else batches):
            self._handed += 1
            if self._note is not None:
                self._note(batch)
            yield batch

    def _timed(self, batches: Iterator[Examples]) -> Iterator[Examples]:
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            self.waited += time.perf_counter() - start
            if batch is None:
                return
            yield batch

    def state_dict(self) -> dict[str, int]:
        """The position behind what was learned from: epoch, and batches of it."""
        if self._epoch is None:
            return self.keys.state_dict()
        done = self._consumed() if self._consumed is not None else None
        return self.keys.position(self._epoch, self._handed if done is None else done)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Begin at a position."""
        self.keys.load_state_dict(state)
        self._epoch = None


def one_ahead(batches: Iterator[Examples]) -> Iterator[Examples]:
    """The same, each fetched while the one before is learned from.

    What a worker has made still has to be taken in, tensor by tensor: a thread does that meanwhile.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as ahead:
        coming = ahead.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = ahead.submit(next, batches, None)
            yield batch
