"""Batches of an epoch: every picture once, the same whatever the number of processes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spitgraph.train import TokenBudgetSampler
from spitgraph.train.data.samplers import EpochBatches


def keys(sampler):
    return [[index for _, index in batch] for batch in sampler]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("count", [8, 9, 10, 23, 24])
def test_processes_share_the_batches_of_one(count, drop_last):
    alone = keys(EpochBatches(count, 8, seed=3, drop_last=drop_last))
    shares = [
        keys(EpochBatches(count, 8, num_replicas=4, rank=r, seed=3, drop_last=drop_last))
        for r in range(4)
    ]
    joined = [sorted(i for share in step for i in share) for step in zip(*shares, strict=True)]
    assert all(len(share) for share in sum(shares, []))
    if not drop_last:
        assert sorted(sum(joined, [])) == list(range(count))
    if count % 8 not in (1, 2) or drop_last:  # otherwise the rest joins the batch before
        assert joined == [sorted(batch) for batch in alone]


def test_every_epoch_has_an_order_of_its_own():
    sampler = EpochBatches(50, 8, seed=1)
    first = keys(sampler)
    assert keys(sampler) == first and sorted(sum(first, [])) == list(range(50))
    sampler.set_epoch(1)
    second = list(sampler)
    assert {epoch for batch in second for epoch, _ in batch} == {1}
    assert sorted(i for batch in second for _, i in batch) == list(range(50))
    assert keys(sampler) != first and keys(EpochBatches(50, 8, seed=2)) != first
    assert keys(EpochBatches(10, 4, shuffle=False)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_sampler_goes_on_where_another_stopped():
    whole, other = EpochBatches(50, 8), EpochBatches(50, 8)
    other.load_state_dict({"epoch": 0, "batch": 3})
    assert list(other) == list(whole)[3:] and len(other) == len(whole) == 7
    other.set_epoch(0)  # as Lightning says once more
    assert list(other) == list(whole)[3:] and other.state_dict() == {"epoch": 0, "batch": 3}
    other.set_epoch(1)
    assert len(list(other)) == 7
    assert whole.position(0, 7) == {"epoch": 1, "batch": 0}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EpochBatches(10, 0), "batch_size must be at least 1"),
        (lambda: EpochBatches(10, 2, num_replicas=4, rank=0), "batch_size must be at least"),
        (lambda: EpochBatches(3, 4, num_replicas=4, rank=0), "count must be at least"),
        (lambda: EpochBatches(3, 4, num_replicas=2, rank=2), "rank must be below 2, got 2"),
        (lambda: EpochBatches(3, 4, drop_last=True), "drop_last leaves nothing"),
        (lambda: TokenBudgetSampler([4, 9, 3], 8), "picture 1 has 9 tokens, .* at most 8"),
        (lambda: TokenBudgetSampler([4, 0], 8), "at least 1, got 0 of picture 1"),
        (lambda: TokenBudgetSampler([1.5], 8), "counts must be whole numbers"),
        (lambda: TokenBudgetSampler([], 8), "counts must be whole numbers"),
        (lambda: TokenBudgetSampler([4], 8, num_replicas=2, rank=0), "1 pictures are too few"),
        (lambda: TokenBudgetSampler([4], 8, max_images=0), "max_images must be at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


@given(
    counts=st.lists(st.integers(1, 40), min_size=4, max_size=80),
    slack=st.integers(0, 100),
    replicas=st.integers(1, 4),
    max_images=st.none() | st.integers(1, 6),
    seed=st.integers(0, 5),
)
def test_batches_keep_to_the_budget(counts, slack, replicas, max_images, seed):
    """Every picture once; none of the processes without one; as many steps in every epoch."""
    budget = max(counts) + slack
    sampler = TokenBudgetSampler(
        counts, budget, num_replicas=replicas, rank=0, max_images=max_images, seed=seed
    )
    for epoch in (0, 1):
        steps = sampler.all_batches(epoch)
        assert len(steps) == len(sampler) and all(len(step) == replicas for step in steps)
        batches = [batch for step in steps for batch in step]
        assert all(0 < np.take(counts, batch).sum() <= budget for batch in batches)
        assert max_images is None or max(map(len, batches)) <= max_images
        seen = np.concatenate(batches)
        assert set(seen.tolist()) == set(range(len(counts)))
        assert len(seen) == len(counts) or len(counts) < len(batches) <= len(counts) + replicas - 1


def test_ranks_get_batches_of_the_same_plan():
    counts = torch.randint(20, 80, (200,), generator=torch.Generator().manual_seed(0))
    ranks = [TokenBudgetSampler(counts, 640, num_replicas=3, rank=r) for r in range(3)]
    for sampler in ranks:
        sampler.set_epoch(2)
    assert len({len(sampler) for sampler in ranks}) == 1
    assert sorted(i for sampler in ranks for batch in keys(sampler) for i in batch) == list(
        range(200)
    )


def test_tokens_are_even_over_processes():
    """Against a plain split, whose largest rank has a fifth more than the mean."""
    counts = np.exp(np.random.default_rng(0).normal(4.5, 0.6, 4000)).astype(int).clip(4, 400)
    sampler = TokenBudgetSampler(counts, 16 * 110, num_replicas=4, rank=0)
    loads = np.array([[counts[b].sum() for b in step] for step in sampler.all_batches(0)])
    plain = np.array(
        [[counts[b[r::4]].sum() for r in range(4)] for b in EpochBatches(4000, 64).batches(0)]
    )

    def skew(loads):
        return (loads.max(1) / loads.mean(1)).mean()

    assert skew(loads) < 1.02 < 1.15 < skew(plain[:-1])
    assert loads.mean() > 0.7 * 16 * 110
