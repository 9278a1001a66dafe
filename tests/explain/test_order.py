"""In which order tokens go, and how many of them make up a fraction."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.pictures import seeded
from spitgraph.explain.order import FRACTIONS, descending, leading, leading_counts, shares_of


def ones(count):
    return torch.ones(count, dtype=torch.int64)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12))
def test_scores_fall_and_every_token_comes_once(scores):
    scores = torch.tensor(scores).float()
    order = descending(scores)
    assert sorted(order.tolist()) == list(range(len(scores)))
    assert (scores[order].diff() <= 0).all()
    assert torch.equal(order, descending(scores))


def test_equal_scores_go_by_a_permutation_of_their_own():
    equal = torch.zeros(50)
    assert torch.equal(descending(equal), descending(equal + 1))
    assert descending(equal).tolist() != list(range(50))  # not from the top of the image down
    assert torch.equal(descending(equal, seeded(1)), descending(equal, seeded(1)))
    assert not torch.equal(descending(equal, seeded(1)), descending(equal, seeded(2)))
    some = equal.clone()
    some[[3, 40]] = 1
    others = descending(equal)
    others = others[(others != 3) & (others != 40)]
    assert torch.equal(descending(some)[2:], others)


def test_counts_are_rounded_halves_up_and_at_least_one():
    fractions = (0.0, 0.01, 0.05, 0.1, 0.149, 0.15, 0.2, 0.5, 1.0)
    assert leading_counts(ones(10), fractions).tolist() == [1, 1, 1, 1, 1, 2, 2, 5, 10]
    assert leading_counts(ones(196), FRACTIONS).tolist() == [2, 10, 20, 39, 98]
    assert leading_counts(ones(1), (0.01, 0.5)).tolist() == [1, 1]
    assert leading_counts(ones(10), (0.0, 0.04, 0.05), at_least=0).tolist() == [0, 0, 1]


def test_counts_by_pixels_come_closest_to_the_fraction():
    sizes = torch.tensor([50, 10, 30, 10])  # reach 50, 60, 90, 100
    assert leading_counts(sizes, (0.1, 0.54, 0.55, 0.7, 0.76, 0.97)).tolist() == [1, 1, 2, 2, 3, 4]
    assert shares_of(sizes, torch.tensor([0, 1, 3, 4])).tolist() == [0, 0.5, 0.9, 1]


def test_leading_tokens_are_the_first_of_the_order():
    order = torch.tensor([2, 0, 1])
    expected = [[False] * 3, [False, False, True], [True, False, True], [True] * 3]
    assert leading(order, torch.arange(4)).tolist() == expected
