"""Agreement of two partitions: worked by hand, against loops, and what a distance has to keep."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spitgraph.metrics import segmentation_covering, variation_of_information

HALVES = torch.tensor([[0, 0, 1, 1]])
THIRD = torch.tensor([[0, 1, 1, 1]])
BOTH = [segmentation_covering, variation_of_information]


def covering_by_loops(labels, truth):
    total = 0.0
    for g in truth.unique():
        best = max(
            float(((labels == s) & (truth == g)).sum() / ((labels == s) | (truth == g)).sum())
            for s in labels.unique()
        )
        total += float((truth == g).sum()) * best
    return total / truth.numel()


def entropy(labels):
    share = labels.unique(return_counts=True)[1] / labels.numel()
    return float(-(share * share.log2()).sum())


def test_a_hand_worked_covering():
    # {0, 1} is best matched by {0} (1/2), {2, 3} by {1, 2, 3} (2/3); the other way {0} by {0, 1}
    assert segmentation_covering(THIRD, HALVES) == pytest.approx((2 * 1 / 2 + 2 * 2 / 3) / 4)
    assert segmentation_covering(HALVES, THIRD) == pytest.approx((1 * 1 / 2 + 3 * 2 / 3) / 4)


def test_a_hand_worked_variation():
    # overlaps of 1, 1 and 2 pixels: H(joint) = 1.5 bits, H(halves) = 1, H(third) = 0.811
    expected = 2 * 1.5 - 1 - (0.25 * 2 + 0.75 * math.log2(4 / 3))
    assert variation_of_information(HALVES, THIRD) == pytest.approx(expected)


@given(st.data())
def test_against_loops_and_entropies(label_maps, data):
    labels = data.draw(label_maps)
    draw = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    other = torch.randint(data.draw(st.integers(1, 6)), labels.shape, generator=draw)
    assert segmentation_covering(labels, other) == pytest.approx(covering_by_loops(labels, other))
    joint = entropy(labels * 1000 + other)
    variation = 2 * joint - entropy(labels) - entropy(other)
    found = variation_of_information(labels, other)
    assert found == pytest.approx(variation, abs=1e-5)
    assert found == pytest.approx(variation_of_information(other, labels))


@given(st.data())
def test_only_the_same_partition_agrees_wholly(label_maps, data):
    labels = data.draw(label_maps)
    names = torch.randperm(int(labels.max()) + 1, generator=torch.Generator().manual_seed(1))
    assert segmentation_covering(labels, names[labels]) == 1
    assert variation_of_information(labels, names[labels]) == 0
    finer = torch.arange(labels.numel()).view(labels.shape)
    if labels.unique().numel() < labels.numel():
        assert segmentation_covering(finer, labels) < 1
        assert variation_of_information(finer, labels) > 0


@pytest.mark.parametrize("metric", BOTH)
def test_what_is_no_pair_of_maps_is_refused(metric, unchecked):
    with pytest.raises(ValueError, match="of one size"):
        metric(HALVES, HALVES.T)
    with pytest.raises(TypeError, match="integers or bools"):
        metric(HALVES, HALVES.float())
    with pytest.raises(ValueError, match="at least one pixel"):
        metric(HALVES[:0], HALVES[:0])
