"""Working memory within a compiled call: taken from the front of one block, which its caller owns.

Who is handed a block takes what it needs, and hands on what is left; when it returns, its caller
still has the whole of it, for the next one. So an image has pages once, not anew in every step.
"""

from math import prod

import numpy as np

from spitgraph.kernels.cpu.jit import kernel
from spitgraph.kernels.cpu.memory import ALIGNMENT

#: Bytes a pixel that suffice for most images: what lasts, and the first regions and their borders.
ROOM = 128


@kernel
def take(room: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """So many bytes, not initialised, of their own where they do not fit; and what is left."""
    end = -(-length // ALIGNMENT) * ALIGNMENT
    if end > len(room):
        return np.empty(length, np.uint8), room
    return room[:length], room[end:]


class Room:
    """The same for who calls compiled code.

    Attributes:
        rest: What is left.
    """

    def __init__(self, block: np.ndarray) -> None:
        self.rest = block

    def take(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        """An array, not initialised."""
        length = prod(shape) * np.dtype(dtype).itemsize
        end = -(-length // ALIGNMENT) * ALIGNMENT
        if end > len(self.rest):
            return np.empty(shape, dtype)
        taken, self.rest = self.rest[:length], self.rest[end:]
        return taken.view(dtype).reshape(shape)
