"""Memory for kernels: to get fresh pages costs as much as what is computed in them.

NumPy asks the system for huge pages where an array is large, which PyTorch by itself does not.
"""

import mmap
from itertools import accumulate
from math import prod

import numpy as np
import torch
from torch import Tensor

#: Arrays begin at multiples of this, in bytes.
ALIGNMENT = 64
#: From this size on, blocks of which little is touched have ordinary pages.
LARGE = 2**22

Shapes = dict[str, tuple[type, tuple[int, ...]]]


def empty(*shape: int, dtype: type) -> Tensor:
    """As `torch.empty`, of a NumPy type."""
    return torch.from_numpy(np.empty(shape, dtype))


def views_of_one_block(shapes: Shapes, is_sparse: bool = False) -> dict[str, np.ndarray]:
    """Arrays of the given types and shapes, not initialised, one behind the other in one block.

    `is_sparse` says that little of a large block will be touched: it is not to have huge pages.
    """
    sizes = [prod(shape) * np.dtype(dtype).itemsize for dtype, shape in shapes.values()]
    places = list(accumulate((-(-size // ALIGNMENT) * ALIGNMENT for size in sizes), initial=0))
    length = places[-1] + ALIGNMENT
    if is_sparse and length >= LARGE:
        block = np.frombuffer(_private(length), np.uint8)
    else:
        block = np.empty(length, np.uint8)
    start = -block.ctypes.data % ALIGNMENT
    return {
        name: np.ndarray(shape, dtype, buffer=block, offset=start + place)
        for place, (name, (dtype, shape)) in zip(places, shapes.items(), strict=False)
    }


def _private(length: int) -> mmap.mmap:
    """Fresh memory of this process alone: a forked child that writes there does not meet it."""
    if not hasattr(mmap, "MAP_PRIVATE"):  # Windows, where nothing forks
        return mmap.mmap(-1, length)
    return mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
