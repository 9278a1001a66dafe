"""Memory for kernels: to get fresh pages costs as much as what is computed in them.

NumPy asks the system for huge pages where an array is large, which PyTorch by itself does not.
"""

import mmap
from itertools import accumulate
from math import prod
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

Shapes = dict[str, tuple[type, tuple[int, ...]]]


def empty(*shape: int, dtype: type) -> Tensor:
    """As `torch.empty`, of a NumPy type."""
    return torch.from_numpy(np.empty(shape, dtype))


class Block(NamedTuple):
    """Where arrays lie, one behind the other in one block.

    Attributes:
        length: In bytes, alignment included.
        places: Name, offset, type and shape of each.
        is_sparse: Whether little of a large block will be touched: it is not to have huge pages.
    """

    length: int
    places: tuple[tuple[str, int, type, tuple[int, ...]], ...]
    is_sparse: bool

    @classmethod
    def of(cls, shapes: Shapes, is_sparse: bool = False) -> "Block":
        """The block of arrays of the given types and shapes."""
        sizes = [prod(shape) * np.dtype(dtype).itemsize for dtype, shape in shapes.values()]
        offsets = list(accumulate((-(-size // ALIGNMENT) * ALIGNMENT for size in sizes), initial=0))
        places = zip(shapes.items(), offsets, strict=False)
        return cls(
            offsets[-1] + ALIGNMENT,
            tuple((name, offset, *kind) for (name, kind), offset in places),
            is_sparse,
        )

    def allocate(self, arena: "Arena | None" = None) -> dict[str, np.ndarray]:
        """The arrays, not initialised; in a call's arena, if there is one."""
        if self.is_sparse and self.length >= LARGE:
            block = np.frombuffer(_private(self.length), np.uint8)
        elif arena is not None:
            block = arena.take(self.length)
        else:
            block = np.empty(self.length, np.uint8)
        start = -block.ctypes.data % ALIGNMENT
        return {
            name: np.ndarray(shape, dtype, buffer=block, offset=start + offset)
            for name, offset, dtype, shape in self.places
        }


class Arena:
    """A block of memory that one call owns, works in, and gives back.

    Only what is used of it is ever touched. A C library that keeps at hand as much as the largest
    block that came and went, as glibc does by itself, then has the pages of this call's results for
    the next call's, in place of fresh ones, which the system would have to clear.
    """

    def __init__(self) -> None:
        self._block = np.empty(ARENA, np.uint8)
        self._taken = -self._block.ctypes.data % ALIGNMENT

    def take(self, length: int) -> np.ndarray:
        """So many bytes, not initialised; memory of their own, if they do not fit any more."""
        begin = self._taken
        if begin + length > ARENA:
            return np.empty(length, np.uint8)
        self._taken = begin + -(-length // ALIGNMENT) * ALIGNMENT
        return self._block[begin : begin + length]


def _private(length: int) -> mmap.mmap:
    """Fresh memory of this process alone: a forked child that writes there does not meet it."""
    if not hasattr(mmap, "MAP_PRIVATE"):  # Windows, where nothing forks
        return mmap.mmap(-1, length)
    return mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
