"""Tokens dropped in training follow from the example's seed."""

import torch
from torch_geometric.data import Batch

from helpers.pictures import noise
from spitgraph import PatchTokenizer
from spitgraph.train.dropping import kept_tokens


def images():
    return [noise(4, 4), noise(6, 4, seed=1), noise(2, 2, seed=2), noise(2, 8, seed=3)]


def tokens_of(pictures):
    return Batch.from_data_list([PatchTokenizer(1)(picture) for picture in pictures])


def kept(pictures, budget, seeds):
    tokens = tokens_of(pictures)
    return kept_tokens(tokens, budget, torch.tensor(seeds)).split(tokens.ptr.diff().tolist())


def test_exactly_the_budget_or_all():
    assert [mask.sum().item() for mask in kept(images(), 10, [1, 2, 3, 4])] == [10, 10, 4, 10]


def test_a_draw_does_not_depend_on_the_batch():
    seeds = [5, 2**62 + 1, 0, 7]
    together = kept(images(), 6, seeds)
    for picture, seed, mask in zip(images(), seeds, together, strict=True):
        assert torch.equal(kept([picture], 6, [seed])[0], mask)
    backwards = kept(images()[::-1], 6, seeds[::-1])
    assert all(map(torch.equal, together, backwards[::-1]))


def test_every_token_is_drawn_as_often():
    """Binomial: 1000 draws of 4 out of 16 give 250 ± 4·14."""
    draws = kept([noise(4, 4)] * 1000, 4, list(range(1000)))
    times = torch.stack(draws).sum(dim=0)
    assert (times - 250).abs().max() < 56
    pairs = torch.stack(draws).float()
    both = (pairs.T @ pairs).fill_diagonal_(0)  # 1000 · (4·3)/(16·15) = 50 of each pair
    assert abs(both[both > 0].mean() - 50) < 0.5 and both.max() < 85
