"""The learning rate rises, falls as a cosine, and stays down."""

import math

import pytest
import torch

from spitgraph.train.schedule import warmed_up_cosine


def rates(steps, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = warmed_up_cosine(optimizer, steps, **options)
    seen = []
    for _ in range(steps + 2):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


def test_by_hand():
    cosine = [1 + math.cos(math.pi * i / 4) for i in range(5)]  # of 2.0, from the highest to none
    assert rates(6, warm_up=1 / 3) == pytest.approx([1.0, 2.0, *cosine, 0.0], abs=1e-12)


def test_one_step_has_the_highest_rate():
    assert rates(1)[0] == 2.0


def test_what_is_left():
    assert rates(10, floor=0.25)[-1] == pytest.approx(0.5)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"warm_up": 1.5}, {"floor": -0.1}])
def test_what_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        rates(**{"steps": 3, **wrong})
