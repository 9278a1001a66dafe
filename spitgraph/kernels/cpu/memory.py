"""Memory for kernels: to get fresh pages costs as much as what is computed in them.

NumPy asks the system for huge pages where an array is large, which PyTorch by itself does not. And
glibc gives freed memory back at once until it has seen that large blocks come and go. Freeing one
that was never touched shows it: up to twice as much is then kept for the next call.
"""

from math import prod

import numpy as np
import torch
from torch import Tensor

#: Arrays begin at multiples of this, in bytes.
ALIGNMENT = 64

#: What glibc keeps at hand at most follows from blocks of up to 32 MiB.
np.empty(2**25 - 2**16, np.uint8)


def empty(*shape: int, dtype: type) -> Tensor:
    """As `torch.empty`, of a NumPy type."""
    return torch.from_numpy(np.empty(shape, dtype))


def views_of_one_block(shapes: list[tuple[type, tuple[int, ...]]]) -> list[np.ndarray]:
    """Arrays of the given types and shapes, not initialised, one behind the other in one block."""
    sizes = [prod(shape) * np.dtype(dtype).itemsize for dtype, shape in shapes]
    places = np.cumsum([0, *(-(-size // ALIGNMENT) * ALIGNMENT for size in sizes)])
    block = np.empty(places[-1] + ALIGNMENT, np.uint8)
    start = -block.ctypes.data % ALIGNMENT
    return [
        block[start + place : start + place + size].view(dtype).reshape(shape)
        for place, size, (dtype, shape) in zip(places.tolist(), sizes, shapes, strict=False)
    ]
