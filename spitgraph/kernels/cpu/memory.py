"""Memory for kernels: to get fresh pages costs as much as what is computed in them.

NumPy asks the system for huge pages where an array is large, which PyTorch by itself does not.
"""

import mmap
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

#: Arrays begin at multiples of this, in bytes.
ALIGNMENT = 64
#: From this size on, blocks of which little is touched have ordinary pages.
LARGE = 2**22

#: Bytes of an arena: glibc gives blocks of 32 MiB and more back to the system at once.
ARENA = 2**25 - 2**16


def empty(*shape: int, dtype: type) -> Tensor:
    """As `torch.empty`, of a NumPy type."""
    return torch.from_numpy(np.empty(shape, dtype))


class Block(NamedTuple):
    """Where arrays lie, one behind the other in one block.

    Attributes:
        length: In bytes.
        offsets: Of each array.
        is_sparse: Whether little of a large block will be touched: it is not to have huge pages.
    """

    length: int
    offsets: tuple[int, ...]
    is_sparse: bool

    @classmethod
    def of(cls, sizes: Sequence[int], is_sparse: bool = False) -> "Block":
        """The block of arrays of so many bytes."""
        lengths = (-(-size // ALIGNMENT) * ALIGNMENT for size in sizes)
        *offsets, length = accumulate(lengths, initial=0)
        return cls(length, tuple(offsets), is_sparse)

    def allocate(self, arena: "Arena | None" = None) -> np.ndarray:
        """[length] uint8, aligned, not initialised; in a call's arena, if there is one."""
        if self.is_sparse and self.length >= LARGE:
            return np.frombuffer(_private(self.length), np.uint8)
        if arena is not None:
            return arena.take(self.length)
        return aligned(self.length)


def aligned(length: int) -> np.ndarray:
    """So many bytes that begin at a multiple of `ALIGNMENT`, not initialised."""
    block = np.empty(length + ALIGNMENT, np.uint8)
    start = -block.__array_interface__["data"][0] % ALIGNMENT  # faster than `ctypes`
    return block[start : start + length]


class Arena:
    """A block of memory that one call owns, works in, and gives back.

    Only what is used of it is ever touched. A C library that keeps at hand as much as the largest
    block that came and went, as glibc does by itself, then has the pages of this call's results for
    the next call's, in place of fresh ones, which the system would have to clear.
    """

    def __init__(self) -> None:
        self._block = aligned(ARENA - ALIGNMENT)
        self._taken = 0

    def take(self, length: int) -> np.ndarray:
        """So many bytes, not initialised; memory of their own, if they do not fit any more."""
        begin = self._taken
        if begin + length > len(self._block):
            return aligned(length)
        self._taken = begin + -(-length // ALIGNMENT) * ALIGNMENT
        return self._block[begin : begin + length]


def _private(length: int) -> mmap.mmap:
    """Fresh memory of this process alone: a forked child that writes there does not meet it."""
    if not hasattr(mmap, "MAP_PRIVATE"):  # Windows, where nothing forks
        return mmap.mmap(-1, length)
    return mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
