"""Every pixel belongs to the nearest of seeds that the caller can reproduce."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch_geometric.data import Batch

from helpers.pictures import noise, seeded
from spitgraph import VoronoiTokenizer, kernels


@given(
    height=st.integers(1, 15),
    width=st.integers(1, 15),
    count=st.integers(1, 40),
    seed=st.integers(0, 2**16),
)
def test_pixels_belong_to_the_nearest_seed(implementation, height, width, count, seed):
    tokens = VoronoiTokenizer(count, generator=seeded(seed))(noise(height, width))
    # the documented draw: uniform over the image, whose pixels are unit squares around (x, y)
    drawn = torch.rand(count, 2, dtype=torch.float64, generator=seeded(seed))
    drawn = (drawn * torch.tensor([width, height]) - 0.5).tolist()
    nearest = [
        min(range(count), key=lambda k: (x - drawn[k][0]) ** 2 + (y - drawn[k][1]) ** 2)
        for y in range(height)
        for x in range(width)
    ]
    used = sorted(set(nearest))  # seeds without a pixel disappear
    assert tokens.cluster.tolist() == [used.index(k) for k in nearest]
    assert tokens.num_nodes == len(used) <= count
    assert int(tokens.size.min()) >= 1
    assert [parent.tolist() for parent in tokens.parents] == [tokens.cluster.tolist()]


def test_the_generator_decides(assert_same):
    image = noise(30, 40)
    first = VoronoiTokenizer(50, generator=seeded(1))(image)
    assert_same(VoronoiTokenizer(50, generator=seeded(1))(image), first)
    other = VoronoiTokenizer(50, generator=seeded(2))(image)
    assert not torch.equal(other.cluster, first.cluster)


def test_every_image_draws_its_own_seeds():
    image = noise(30, 40)
    tokenizer = VoronoiTokenizer(50, generator=seeded(1))
    assert not torch.equal(tokenizer(image).cluster, tokenizer(image).cluster)
    batch = tokenizer([image, image])
    assert not torch.equal(batch[0].cluster, batch[1].cluster)


def test_without_a_generator_the_global_seed_decides(assert_same):
    image = noise(30, 40)
    torch.manual_seed(3)
    first = VoronoiTokenizer(50)(image)
    torch.manual_seed(3)
    assert_same(VoronoiTokenizer(50)(image), first)
    state = torch.get_rng_state()
    VoronoiTokenizer(50, generator=seeded(0))(image)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_batch_draws_image_by_image(awkward_images, assert_same):
    batch = VoronoiTokenizer(9, generator=seeded(4))(awkward_images)
    one_by_one = VoronoiTokenizer(9, generator=seeded(4))
    assert isinstance(batch, Batch)
    for i, image in enumerate(awkward_images):
        assert_same(batch[i], one_by_one(image))


@pytest.mark.parametrize("count", [1, 3, 196, 5000])
def test_cells_do_not_depend_on_what_finds_them(without_extensions, assert_same, count):
    image = noise(101, 77)
    compiled = VoronoiTokenizer(count, generator=seeded(5))(image)
    with kernels.plain():
        assert_same(VoronoiTokenizer(count, generator=seeded(5))(image), compiled)
        with without_extensions():
            assert_same(VoronoiTokenizer(count, generator=seeded(5))(image), compiled)


def test_of_equally_near_seeds_the_first_is_taken(implementation, monkeypatch):
    """Seeds at the pixels' corners and on top of each other: ties everywhere."""
    grid = torch.cartesian_prod(torch.arange(-1, 10), torch.arange(-1, 9)).double() + 0.5
    seeds = torch.cat([grid.flip(0), grid])
    monkeypatch.setattr(VoronoiTokenizer, "_seeds", lambda *_: [seeds])
    tokens = VoronoiTokenizer(len(seeds))(noise(8, 9))
    nearest = [
        min(range(len(seeds)), key=lambda k: (x - seeds[k][0]) ** 2 + (y - seeds[k][1]) ** 2)
        for y in range(8)
        for x in range(9)
    ]
    used = sorted(set(nearest))
    assert tokens.cluster.tolist() == [used.index(k) for k in nearest]


def test_cells_do_not_depend_on_the_device(device, assert_same):
    image = noise(101, 77)
    there = VoronoiTokenizer(generator=seeded(5))(image.to(device))
    assert_same(there.cpu(), VoronoiTokenizer(generator=seeded(5))(image))


def test_gradients_flow_to_the_pixels():
    image = noise(6, 7).requires_grad_()
    VoronoiTokenizer(4)(image).pixels.sum().backward()
    assert torch.equal(image.grad, torch.ones_like(image))


@pytest.mark.parametrize(
    ("num_tokens", "error", "message"),
    [
        (0, ValueError, "num_tokens must be at least 1, got 0"),
        (19.6, TypeError, "num_tokens must be an integer, got 19.6"),
        (None, TypeError, "num_tokens must be an integer, got None"),
    ],
)
def test_wrong_counts_are_refused(unchecked, num_tokens, error, message):
    with pytest.raises(error, match=message):
        VoronoiTokenizer(num_tokens)


def test_repr():
    assert repr(VoronoiTokenizer()) == "VoronoiTokenizer(num_tokens=196)"
