"""Hierarchy: nested partitions of a batch, and what is pooled, lifted and cut by them."""

from itertools import pairwise

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from spitgraph.hierarchy import Hierarchy, renumbered_by_first

REDUCTIONS = {"sum": torch.sum, "mean": torch.mean, "min": torch.amin, "max": torch.amax}


def made_of(maps, num_leaves):
    """The hierarchy of one image from lists."""
    counts = [num_leaves] + [max(parent) + 1 for parent in maps]
    return Hierarchy.from_parents([[torch.tensor(parent) for parent in maps]], [counts])


@st.composite
def images(draw, max_images=3):
    """Parent maps of some images of different sizes and depths, and the counts of their levels."""
    maps, counts = [], []
    for _ in range(draw(st.integers(1, max_images))):
        levels, parents = [draw(st.integers(1, 7))], []
        for _ in range(draw(st.integers(0, 3))):
            count = draw(st.integers(1, levels[-1]))
            rest = draw(st.lists(st.integers(0, count - 1), min_size=levels[-1] - count,
                                 max_size=levels[-1] - count))  # fmt: skip
            parents.append(torch.tensor([*range(count), *rest]))
            levels.append(count)
        maps.append(parents)
        counts.append(levels)
    return maps, counts


def followed(maps, counts, level):
    """Region of each leaf of a batch at a level, leaf by leaf; and how many regions there are."""
    result, start = [], 0
    for parents, levels in zip(maps, counts, strict=True):
        for leaf in range(levels[0]):
            region = leaf
            for parent in parents[:level]:
                region = int(parent[region])
            result.append(start + region)
        start += levels[min(level, len(levels) - 1)]
    return result, start


@given(made=images())
def test_partitions_follow_every_leaf(made):
    tree = Hierarchy.from_parents(*made)
    assert tree.depth == max(len(levels) - 1 for levels in made[1])
    for level in range(tree.depth + 1):
        expected, count = followed(*made, level)
        assert tree.partition(level).tolist() == expected
        assert sum(tree.num_regions(level)) == count
        assert tree.sizes(level).tolist() == [expected.count(region) for region in range(count)]
    for finer, (level, parent) in zip(range(tree.depth), enumerate(tree.parents), strict=True):
        assert torch.equal(parent[tree.partition(finer)], tree.partition(level + 1))


@given(made=images())
def test_a_hierarchy_at_a_level_is_what_it_was_there(made):
    tree = Hierarchy.from_parents(*made)
    for level in range(tree.depth + 1):
        maps = [parents[:level] for parents in made[0]]
        counts = [levels[: level + 1] for levels in made[1]]
        for one, other in zip(tree.at(level), Hierarchy.from_parents(maps, counts), strict=True):
            assert torch.equal(one, other)


@given(made=images(), reduce=st.sampled_from(sorted(REDUCTIONS)), data=st.data())
def test_values_are_pooled_region_by_region(made, reduce, data):
    tree = Hierarchy.from_parents(*made)
    level = data.draw(st.integers(0, tree.depth))
    region = tree.partition(level)
    values = torch.rand(len(region), 2, generator=torch.Generator().manual_seed(0)).double()
    pooled = tree.pool(values, level, reduce)
    for r in range(sum(tree.num_regions(level))):
        torch.testing.assert_close(pooled[r], REDUCTIONS[reduce](values[region == r], dim=0))
    assert torch.equal(tree.lift(pooled, level), pooled[region])


def test_gradients_flow_through_pool_and_lift():
    tree = made_of([[0, 0, 1, 1, 2], [0, 1, 0]], 5)
    values = torch.rand(5, 2, dtype=torch.float64, requires_grad=True)
    for reduce in ("sum", "mean", "max"):
        assert torch.autograd.gradcheck(lambda x, r=reduce: tree.pool(x, 1, r), values)
    assert torch.autograd.gradcheck(lambda x: tree.lift(x, 1), values[:3].detach().requires_grad_())
    assert tree.pool(torch.ones(5, dtype=torch.int64), 2, "sum").tolist() == [3, 2]


def antichains(tree, level, region):
    """Every way to cover a region by regions of any levels: lists of (level, region)."""
    yield [(level, region)]
    if level > 0:
        below = (tree.parents[level - 1] == region).nonzero()[:, 0].tolist()
        covers = [[]]
        for child in below:
            covers = [
                [*cover, *more] for cover in covers for more in antichains(tree, level - 1, child)
            ]
        yield from covers


@given(made=images(max_images=2), seed=st.integers(0, 99))
def test_a_cut_is_the_best_of_all(made, seed):
    tree = Hierarchy.from_parents(*made)
    generator = torch.Generator().manual_seed(seed)
    score = [
        torch.randint(-3, 4, (sum(tree.num_regions(level)),), generator=generator)
        for level in range(tree.depth + 1)
    ]
    expected = torch.empty_like(tree.cluster)
    for top in range(sum(tree.num_regions())):
        best = max(
            antichains(tree, tree.depth, top),
            key=lambda cover: (sum(int(score[t][r]) for t, r in cover), -len(cover)),
        )
        for t, r in best:
            expected[tree.partition(t) == r] = t * 100 + r
    assert torch.equal(tree.cut(score), renumbered_by_first(expected))


def test_cuts_at_one_level_are_its_partition():
    tree = made_of([[0, 0, 1, 1, 2], [0, 1, 0]], 5)
    for level in range(3):
        score = [torch.full((n,), float(t == level)) for t, n in enumerate((5, 3, 2))]
        assert torch.equal(tree.cut(score), renumbered_by_first(tree.partition(level)))


def test_numbers_in_order_of_first_occurrence():
    assert renumbered_by_first(torch.tensor([7, 2, 7, 9, 2])).tolist() == [0, 1, 0, 2, 1]


@pytest.mark.parametrize("areas", [(4, 4), (4, 6), (5,)])
def test_a_partition_is_a_hierarchy_of_one_level(areas):
    clusters = [torch.arange(area) % 2 for area in areas]
    tree = Hierarchy.from_partition(clusters, [2] * len(areas))
    again = Hierarchy.from_parents([[c] for c in clusters], [[area, 2] for area in areas])
    for one, other in zip(tree, again, strict=True):
        assert one.dtype == other.dtype and torch.equal(one, other)
    assert all(low <= high for low, high in pairwise(sorted(tree.cluster.tolist())))


def test_what_does_not_fit_is_refused():
    tree = made_of([[0, 0, 1]], 3)
    for level in (-1, 2):
        for method in (tree.partition, tree.at, tree.sizes):
            with pytest.raises(ValueError, match=rf"level must be in 0 … 1, got {level}"):
                method(level)
    with pytest.raises(ValueError, match=r"values of 3 leaves, got \[2, 4\]"):
        tree.pool(torch.rand(2, 4), 1)
    with pytest.raises(ValueError, match=r"values of 2 regions of level 1, got \[3\]"):
        tree.lift(torch.rand(3), 1)
    with pytest.raises(ValueError, match="'mean', 'sum', 'min' or 'max', got 'median'"):
        tree.pool(torch.rand(3), 1, "median")
    with pytest.raises(ValueError, match="scores of 2 levels, the leaves' included, got 1"):
        tree.cut([torch.rand(3)])
