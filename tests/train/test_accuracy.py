"""Shares and their intervals, neighbours and probes: small cases worked by hand."""

import pytest
import torch

from helpers.pictures import seeded
from spitgraph.train.evaluation.accuracy import Accuracy, accuracy, top_accuracy
from spitgraph.train.evaluation.neighbours import neighbour_classes
from spitgraph.train.evaluation.probe import held_out, linear_probe, rank_in_class


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    # z = 1.95996: (p + z²/2n ∓ z·√(p(1 − p)/n + z²/4n²)) / (1 + z²/n)
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (1, 1, 0.2065, 1.0)],
)
def test_intervals_are_wilsons(right, of, low, high):
    share = Accuracy(right, of)
    assert share.interval == pytest.approx((low, high), abs=1e-4)
    assert share.value == right / of
    assert str(Accuracy(8, 10)) == "0.800 (0.490–0.943)"


def test_the_class_is_among_the_likeliest():
    logits = torch.tensor([[3.0, 2, 1, 0], [0, 3, 2, 1], [0, 1, 2, 3], [3, 2, 1, 0]])
    targets = torch.tensor([0, 2, 0, 3])
    right = [top_accuracy(logits, targets, k).right for k in (1, 2, 3)]
    assert right == [1, 2, 2]
    assert top_accuracy(logits, targets, 4) is None, "all are right"
    assert accuracy(logits.argmax(1), targets) == Accuracy(1, 4)


def angles(*degrees):
    turned = torch.tensor(degrees).deg2rad()
    return torch.stack([turned.cos(), turned.sin()], dim=1)


def test_neighbours_vote_by_cosine():
    train, labels = angles(0.0, 20, 80, 85, 90), torch.tensor([0, 0, 1, 1, 1])
    tried = angles(12.0, 47, 75) * torch.tensor([[1.0], [30], [0.1]])  # lengths do not count
    # at 47°: 20° is 27° away, exp(.891/.07) = 337,000; 80° is 33°, 159,800; 85° is 38°, 77,300
    assert neighbour_classes(train, labels, tried, 1).tolist() == [0, 0, 1]
    assert neighbour_classes(train, labels, tried, 3).tolist() == [0, 0, 1]
    # and 90° is 43°, 34,400; 0° is 47°, 17,000: 354,000 to 271,500, where a majority would say 1
    assert neighbour_classes(train, labels, tried, 5).tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="6 neighbours were asked for, and there are 5"):
        neighbour_classes(train, labels, tried, 6)


def test_every_fifth_of_a_class_is_held_out():
    labels = torch.tensor([1, 0, 1, 1, 2, 0, 1, 1, 1, 1])
    assert rank_in_class(labels).tolist() == [0, 0, 1, 2, 0, 1, 3, 4, 5, 6]
    assert held_out(labels).nonzero().flatten().tolist() == [2, 5, 9]


def clusters(count, spread=0.3, seed=0, missing=None):
    """Points round the corners of a triangle, far from the origin and of unequal scales."""
    generator = seeded(seed)
    labels = torch.arange(count) % 3
    labels = labels if missing is None else labels[labels != missing]
    corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    points = corners[labels] + spread * torch.randn(len(labels), 3, generator=generator)
    return points * torch.tensor([1.0, 1000, 1e-3]) + 50, labels


def test_a_probe_separates_what_can_be():
    train, tried = clusters(60, 0.05), clusters(30, 0.05, seed=1)
    probe = linear_probe(*train)
    assert accuracy(probe.classes_of(tried[0]), tried[1]).value == 1


def test_a_probe_says_the_same_again():
    train, tried = clusters(60, 0.6), clusters(300, 0.6, seed=1)[0]
    first, again = linear_probe(*train), linear_probe(*train)
    assert first.strength == again.strength
    assert torch.equal(first.classes_of(tried), again.classes_of(tried))


def test_noise_asks_for_strong_regularisation():
    features = torch.randn(60, 40, generator=seeded(0))
    noise = linear_probe(features, torch.arange(60) % 3).strength
    assert noise > linear_probe(*clusters(60, 0.05)).strength


def test_few_pictures_and_classes_without():
    features, labels = clusters(30, 0.05, missing=1)
    assert set(linear_probe(features, labels).classes_of(features).tolist()) == {0, 2}
    one_each = linear_probe(features[:2], labels[:2])
    assert one_each.strength == 0.1 and one_each.classes_of(features[:2]).tolist() == [0, 2]
    with pytest.raises(ValueError, match="at least 2 classes, got 1"):
        linear_probe(features, torch.zeros_like(labels))
