"""How the learning rate goes over the steps of a training."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from spitgraph.checks import integer, unit_interval


def warmed_up_cosine(
    optimizer: Optimizer, steps: int, *, warm_up: float = 0.05, floor: float = 0.0
) -> LambdaLR:
    """A learning rate that rises for a while, and then falls as a cosine.

    Of w steps of warm-up, step i has (i + 1)/w of the highest rate; afterwards, step i of n has
    floor + (1 − floor)·(1 + cos(π (i − w)/(n − w)))/2 of it (Loshchilov, Hutter 2017).

    Args:
        optimizer: Its groups' rates are the highest ones.
        steps: n, at least 1; later steps have the last one's rate.
        warm_up: Share of the steps in which the rate rises; at least one.
        floor: What is left at the end, as a share of the highest rate.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """
    steps = integer(steps, "steps")
    floor = unit_interval(floor, "floor")
    rising = max(1, round(steps * unit_interval(warm_up, "warm_up")))

    def share(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        passed = min(step - rising, steps - rising) / max(1, steps - rising)
        return floor + (1 - floor) * (1 + math.cos(math.pi * passed)) / 2

    return LambdaLR(optimizer, share)
