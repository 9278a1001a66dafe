"""What chance decides about an example: a function of (seed, epoch, index), and of nothing else."""

import numpy as np

_MASK = 2**64 - 1


def example_seed(seed: int, epoch: int, index: int) -> int:
    """A number in [0, 2⁶³) for each (seed, epoch, index).

    Steps of splitmix64 (Steele, Lea and Flood 2014), one for each of the three.
    """
    state = 0
    for number in (seed, epoch, index):
        state = (state + number + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ state >> 27) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1


def example_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """What draws crop, flip, partner and all else of an example."""
    return np.random.Generator(np.random.Philox(key=example_seed(seed, epoch, index)))


def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """A permutation of 0 … count − 1, [count] int64, for each (seed, epoch)."""
    return example_generator(seed, epoch, -1).permutation(count)
