"""Contraction from given regions, and pairs of regions that must or cannot be one."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from helpers.effort import examples
from helpers.pictures import AWKWARD, mixed, noise, seeded
from spitgraph import SuperpixelTokenizer, from_partition

HOW = [{"levels": 3}, {"levels": 2, "compactness": 0.3}, {"num_tokens": 7, "similarity": "ward"}]
FINE = {"num_tokens": 7, "quality": "fine"}


def squares(height, width, side):
    rows, columns = torch.arange(height)[:, None] // side, torch.arange(width) // side
    return rows * width + columns


def together(tokens, label):
    """Whether every region of a label map lies in one token."""
    both = torch.stack([label.flatten(), tokens.cluster]).unique(dim=1)
    return both.shape[1] == len(label.unique())


@pytest.mark.parametrize("how", HOW, ids=str)
@pytest.mark.parametrize("name", AWKWARD)
def test_from_the_pixels_themselves_it_is_contraction(name, how):
    image = AWKWARD[name]
    pixels = image[0].numel()
    how = {**how, "num_tokens": min(how["num_tokens"], pixels)} if "num_tokens" in how else how
    tokenizer = SuperpixelTokenizer(**how)
    names = torch.randperm(pixels, generator=seeded(0)).view(image.shape[1:])
    plain, begun = tokenizer(image), tokenizer(image, partition=names)
    assert torch.equal(begun.cluster, plain.cluster)
    assert torch.equal(begun.partition(1), torch.arange(pixels))
    assert len(begun.parents) == len(plain.parents) + 1
    assert all(map(torch.equal, begun.parents[1:], plain.parents))


@pytest.mark.parametrize("how", [*HOW, FINE], ids=str)
def test_regions_stay_whole_and_are_the_first_level(how):
    image = mixed()
    label = squares(24, 31, 3)
    tokens = SuperpixelTokenizer(**how)(image, partition=label)
    assert together(tokens, label)
    assert torch.equal(tokens.to_level(1).color, from_partition(image, label).color)
    if "num_tokens" in how:
        assert tokens.num_nodes == how["num_tokens"]


@pytest.mark.parametrize("how", [*HOW, FINE], ids=str)
def test_names_of_regions_and_the_batch_do_not_matter(how, assert_same):
    tokenizer, images = SuperpixelTokenizer(**how), [noise(9, 12), mixed(), noise(8, 8, 1)]
    labels = [squares(*image.shape[1:], 2) for image in images]
    pairs = [[[[0, 0], [3, 3]]], None, [[[5, 5], [7, 7]], [[0, 0], [7, 7]]]]
    batch = tokenizer(images, partition=labels, cannot_link=pairs)
    for index, image in enumerate(images):
        names = torch.randperm(1000, generator=seeded(index))[labels[index]]
        alone = tokenizer(image, partition=names, cannot_link=pairs[index])
        assert_same(batch[index], alone)


@pytest.mark.parametrize("how", [*HOW[1:], FINE], ids=str)
@examples(12)
@given(data=st.data())
def test_pairs_hold(how, data):
    image = noise(8, 9, data.draw(st.integers(0, 99)))
    ends = torch.randint(72, (6, 2), generator=seeded(data.draw(st.integers(0, 999))))
    ends = ends[ends[:, 0] != ends[:, 1]]
    pairs = torch.stack([ends % 9, ends // 9], dim=2)  # [k, 2, (x, y)]
    try:
        tokens = SuperpixelTokenizer(**how)(image, must_link=pairs[:2], cannot_link=pairs[2:])
    except ValueError as error:
        assert "cannot_link" in str(error)
        return
    u, v = tokens.cluster[ends].unbind(1)
    assert (u[:2] == v[:2]).all()
    assert (u[2:] != v[2:]).all()
    if "num_tokens" in how:
        assert tokens.num_nodes == how["num_tokens"]


def test_a_star_of_pairs_that_a_chain_would_bring_together():
    # a ramp of five pixels: each is most like the next, and all would merge
    image = torch.tensor([0.0, 0.01, 0.02, 0.04, 0.08]).expand(3, 1, 5)
    everything = SuperpixelTokenizer(num_tokens=1)(image)
    assert everything.num_nodes == 1
    apart = [[[0, 0], [4, 0]]]
    tokens = SuperpixelTokenizer(num_tokens=2)(image, cannot_link=apart)
    assert tokens.cluster.tolist() == [0, 0, 0, 0, 1]  # the steepest step is the border


def test_regions_that_must_be_one_merge_though_they_do_not_touch():
    label = torch.tensor([[10, 20, 30, 20]])
    tokens = SuperpixelTokenizer(num_tokens=2)(
        noise(1, 4), partition=label, must_link=[[10, 30]], cannot_link=[[10, 20]]
    )
    assert tokens.cluster.tolist() == [0, 1, 0, 1]
    assert [parent.tolist() for parent in tokens.parents] == [[0, 1, 2, 1], [0, 1, 0]]


def test_without_pairs_nothing_is_other():
    tokenizer, image = SuperpixelTokenizer(2), noise(6, 7)
    plain = tokenizer(image)
    for none in ([], torch.empty(0, 2).long(), [[[0, 0], [0, 0]]]):
        linked = tokenizer(image, must_link=none)
        assert torch.equal(linked.cluster, plain.cluster)
        assert len(linked.parents) == 2


LABEL = [[0, 1], [2, 3]]
REFUSED = [
    ({"must_link": [[0, 1]]}, ValueError, "without a partition"),
    ({"partition": LABEL, "must_link": [[0, 9]]}, ValueError, "no region 9"),
    ({"partition": LABEL, "must_link": [0, 1]}, ValueError, r"got shape \[2\]"),
    ({"partition": LABEL, "must_link": [[0.5, 1.0]]}, TypeError, "must be integers"),
    ({"cannot_link": [[[0, 0], [0, 2]]]}, ValueError, "2×2 pixels"),
    ({"cannot_link": [[[0, 0], [-1, 0]]]}, ValueError, "2×2 pixels"),
    ({"cannot_link": [[[0, 0], [0, 0]]]}, ValueError, "pair 0 are in one region"),
    (
        {"partition": LABEL, "must_link": [[0, 1], [1, 2]], "cannot_link": [[0, 2]]},
        ValueError,
        "by must_link",
    ),
    ({"partition": LABEL, "cannot_link": [[0, 1], [1, 2], [2, 0]]}, ValueError, "keeps 3 regions"),
    ({"partition": [[0, 0], [0, 0]]}, ValueError, "more than the 1 regions"),
]


@pytest.mark.parametrize(("given", "error", "message"), REFUSED)
@pytest.mark.parametrize("quality", ["fast", "fine"])
def test_what_does_not_fit_is_refused(unchecked, given, error, message, quality):
    with pytest.raises(error, match=message):
        SuperpixelTokenizer(num_tokens=2, quality=quality)(noise(2, 2), **given)


@pytest.mark.parametrize("quality", ["fast", "fine"])
def test_a_count_that_contraction_cannot_reach_is_refused(quality):
    row = noise(1, 4)  # 0 and 1 apart, 1 and 2, 2 and 3: two are no clique, yet none can merge
    pairs = [[[x, 0], [x + 1, 0]] for x in range(3)]
    with pytest.raises(ValueError, match="none touches another that cannot_link lets it"):
        SuperpixelTokenizer(num_tokens=2, quality=quality)(row, cannot_link=pairs)


def test_a_batch_takes_a_list_of_pairs(unchecked):
    with pytest.raises(ValueError, match="list of 2, one an image, got 1"):
        SuperpixelTokenizer(1)([noise(2, 2)] * 2, must_link=[[[[0, 0], [1, 1]]]])
