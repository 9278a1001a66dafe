"""Superpixel tokens: connected, nested, as many as asked for, the same wherever they are made."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from PIL import Image
from torch_geometric.data import Batch

from helpers.effort import examples
from helpers.labels import components
from helpers.pictures import noise, rgb
from spitgraph import SuperpixelTokenizer, TokenData, colour, kernels
from spitgraph.contraction import SIMILARITIES, connect, select, weights
from spitgraph.grid import pixel_edges

FEATURES = ["lab", "spit"]


def connected_parts(region, height, width):
    """How many 4-connected areas of one label a label map has."""
    u, v = pixel_edges(height, width)
    inside = region[u] == region[v]
    return components(height * width, u[inside], v[inside])[0]


def assert_well_formed(tokens):
    """At every level: numbered by first pixel without gaps, 4-connected, and nested in the next."""
    height, width = tokens.image_size[0].tolist()
    finer = torch.arange(height * width)
    for level in range(len(tokens.parents) + 1):
        region = tokens.partition(level)
        labels, first = np.unique(region.numpy(), return_index=True)
        assert labels.tolist() == list(range(len(labels)))
        assert (np.diff(first) > 0).all()
        assert connected_parts(region, height, width) == len(labels)
        assert len(torch.stack([finer, region]).unique(dim=1)[0]) == int(finer.max()) + 1
        finer = region
    assert torch.equal(finer, tokens.cluster)
    assert tokens.num_nodes == int(finer.max()) + 1
    assert tokens.is_undirected() and tokens.is_coalesced() and not tokens.has_self_loops()


options = st.fixed_dictionaries(
    {
        "similarity": st.sampled_from(sorted(SIMILARITIES)),
        "features": st.sampled_from([*FEATURES, rgb]),
        "compactness": st.sampled_from([0.0, 0.1, 1.0]),
    }
)


# ---- the partition -------------------------------------------------------------------------------


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_awkward_pictures_are_partitioned_well(awkward_image, similarity):
    tokens = SuperpixelTokenizer(similarity=similarity)(awkward_image)
    assert isinstance(tokens, TokenData)
    assert len(tokens.parents) == 4
    assert_well_formed(tokens)


@examples(60)
@given(data=st.data(), options=options, levels=st.integers(1, 6))
def test_small_pictures_are_partitioned_well(implementation, small_images, data, options, levels):
    tokens = SuperpixelTokenizer(levels, **options)(data.draw(small_images))
    assert len(tokens.parents) == levels
    assert_well_formed(tokens)


@examples(60)
@given(data=st.data(), options=options)
def test_exactly_as_many_tokens_as_asked_for(implementation, small_images, data, options):
    image = data.draw(small_images)
    count = data.draw(st.integers(1, image[0].numel()))
    tokens = SuperpixelTokenizer(num_tokens=count, **options)(image)
    assert tokens.num_nodes == count
    assert_well_formed(tokens)


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("picture", ["noise", "flat", "black and white"])
def test_every_count_from_one_to_all_pixels(picture, similarity):
    image = {
        "noise": noise(6, 7),
        "flat": torch.full((3, 6, 7), 0.5),
        "black and white": noise(6, 7).round(),
    }[picture]
    for count in range(1, 43):
        tokens = SuperpixelTokenizer(num_tokens=count, similarity=similarity)(image)
        assert tokens.num_nodes == count
        assert_well_formed(tokens)


def test_a_count_of_all_pixels_needs_no_level():
    tokens = SuperpixelTokenizer(num_tokens=42)(noise(6, 7))
    assert tokens.parents == []
    assert torch.equal(tokens.cluster, torch.arange(42))


@pytest.mark.parametrize("compactness", [0.0, 0.1])
@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_flat_pictures_do_not_collapse(similarity, features, compactness):
    tokens = SuperpixelTokenizer(similarity=similarity, features=features, compactness=compactness)(
        torch.full((3, 128, 128), 0.5)
    )
    assert tokens.num_nodes > 16
    assert int(tokens.size.max()) <= 128 * 128 // 8


def test_regions_follow_what_is_in_the_picture():
    # four flat areas: once there are four regions, they are these
    truth = torch.zeros(20, 24, dtype=torch.int64)
    truth[:9, 11:], truth[9:, :5], truth[9:, 5:] = 1, 2, 3
    image = torch.tensor([[0.9, 0.2, 0.2], [0.2, 0.9, 0.2], [0.3, 0.2, 0.9], [0.9, 0.9, 0.2]])
    tokens = SuperpixelTokenizer(num_tokens=4)(image[truth].permute(2, 0, 1))
    assert torch.equal(tokens.seg[0], truth)


def test_regions_of_one_size_do_not_wait_for_each_other():
    # two pairs of pixels: their sizes have no deviation to be measured by
    image = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(3, 1, 4)
    tokens = SuperpixelTokenizer(levels=2)(image)
    assert [len(parent) for parent in tokens.parents] == [4, 2]
    assert tokens.num_nodes == 1


def test_compact_regions_are_more_compact():
    def mean_fill(compactness):
        tokens = SuperpixelTokenizer(num_tokens=40, compactness=compactness)(noise(40, 40))
        sides = tokens.bbox[:, 2:] - tokens.bbox[:, :2]
        return (4 * tokens["size"] / sides.sum(1) ** 2).mean()

    assert mean_fill(0.0) < mean_fill(0.5) < mean_fill(1.0)


def test_four_levels_of_a_photograph_are_about_196_tokens(photos):
    for path in photos[:3]:
        assert 100 < SuperpixelTokenizer(levels=4)(resized(path)).num_nodes < 400


def resized(path):
    with Image.open(path) as image:
        return image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)


# ---- the same tokens wherever they are made ------------------------------------------------------


TOKENIZERS = [
    SuperpixelTokenizer(levels=3),
    SuperpixelTokenizer(levels=4, similarity="cosine", features="spit", compactness=0.1),
    SuperpixelTokenizer(num_tokens=1, similarity="ward", compactness=0.1),
]


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=repr)
def test_tokens_do_not_depend_on_the_batch(implementation, tokenizer, awkward_images, assert_same):
    alone = [tokenizer(image) for image in awkward_images]
    batch = tokenizer(awkward_images)
    backwards = tokenizer(awkward_images[::-1])
    assert isinstance(batch, Batch) and batch.num_graphs == len(awkward_images)
    for i, image in enumerate(alone):
        assert_same(batch[i], image)
        assert_same(backwards[len(alone) - 1 - i], image)


@examples(20)
@given(data=st.data(), options=options)
def test_counts_hold_for_every_image_of_a_batch(small_images, assert_same, data, options):
    images = data.draw(st.lists(small_images, min_size=2, max_size=4))
    count = data.draw(st.integers(1, min(image[0].numel() for image in images)))
    tokenizer = SuperpixelTokenizer(num_tokens=count, **options)
    batch = tokenizer(images)
    for i, image in enumerate(images):
        assert batch[i].num_nodes == count
        assert_same(batch[i], tokenizer(image))


def test_a_tensor_of_images_is_a_batch(assert_same):
    images = torch.stack([noise(9, 8, seed) for seed in range(3)])
    tokenizer = SuperpixelTokenizer(levels=2)
    assert_same(tokenizer(images), tokenizer(list(images)))
    assert_same(tokenizer(images[:1])[0], tokenizer(images[0]))


@pytest.mark.parametrize("tokenizer", TOKENIZERS[:2], ids=repr)
def test_tokens_do_not_depend_on_threads(implementation, tokenizer, assert_same):
    # more than the 32768 pixels from which PyTorch shares the work among threads
    image = torch.cat([noise(150, 110), noise(150, 110).round()], dim=2)
    threads = torch.get_num_threads()
    results = []
    for count in (1, 2):
        torch.set_num_threads(count)
        try:
            results.append(tokenizer(image))
        finally:
            torch.set_num_threads(threads)
    assert_same(*results)


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=repr)
def test_tokens_do_not_depend_on_extensions(
    without_extensions, tokenizer, awkward_images, assert_same
):
    images = [*awkward_images, noise(60, 50)]
    compiled = tokenizer(images)
    with without_extensions(), kernels.plain():
        plain = tokenizer(images)
    assert_same(compiled, plain)


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=repr)
def test_tokens_do_not_depend_on_the_parts_that_large_images_are_handled_in(
    tokenizer, awkward_images, assert_same, monkeypatch
):
    whole = tokenizer(awkward_images)
    for module in (connect, select, weights):
        monkeypatch.setattr(module, "EDGES_AT_A_TIME", 100)
    monkeypatch.setattr(colour, "PIXELS_AT_A_TIME", 64)
    assert_same(tokenizer(awkward_images), whole)


def test_tokens_do_not_depend_on_the_device(device, awkward_images, assert_same):
    for tokenizer in TOKENIZERS:
        there = tokenizer([image.to(device) for image in awkward_images])
        assert there.pos.device.type == device.type
        assert_same(there.cpu(), tokenizer(awkward_images))


def test_tokens_do_not_depend_on_strides(assert_same):
    tokenizer, image = SuperpixelTokenizer(), noise(20, 30)
    strided = image.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert_same(tokenizer(strided), tokenizer(image))


# ---- features ------------------------------------------------------------------------------------


def test_only_features_are_compared():
    # of two channels that cut the picture differently, the regions follow the one asked for
    image = torch.zeros(3, 12, 12)
    image[0, :6], image[1, :, :6] = 1, 1
    rows, columns = (
        SuperpixelTokenizer(num_tokens=2, features=lambda image, c=c: image[c : c + 1])(image)
        for c in (0, 1)
    )
    assert torch.equal(rows.seg[0], (torch.arange(12) >= 6)[:, None].expand(12, 12).long())
    assert torch.equal(columns.seg[0], rows.seg[0].t())


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_features_in_either_layout(similarity, assert_same):
    image = noise(11, 9)
    planes, rows = (
        SuperpixelTokenizer(similarity=similarity, features=features)(image)
        for features in (rgb, lambda image: image.flatten(1).t())
    )
    assert_same(planes, rows)


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (lambda image: image[:, 1:], ValueError, r"\[C, 5, 6\] or \[30, C\].*5×6.*\[3, 4, 6\]"),
        (lambda image: image[0], ValueError, r"got \[5, 6\]"),
        (lambda image: image[:0], ValueError, r"got \[0, 5, 6\]"),
        (lambda image: image * torch.nan, ValueError, "finite and within ±4096"),
        (lambda image: image * 1e4, ValueError, "within ±4096, got values from .* to .*"),
        (lambda image: (image * 9).long(), TypeError, "floating-point tensor, got torch.int64"),
        (lambda image: image.tolist(), TypeError, "floating-point tensor, got list"),
    ],
)
def test_wrong_features_are_refused(features, error, message):
    with pytest.raises(error, match=message):
        SuperpixelTokenizer(features=features)(noise(5, 6))


# ---- gradients -----------------------------------------------------------------------------------


def test_gradients_flow_to_the_pixels(assert_same):
    image = noise(9, 8).requires_grad_()
    tokens = SuperpixelTokenizer(levels=2)(image)
    assert tokens.pixels.requires_grad and not tokens.color.requires_grad
    tokens.pixels.square().sum().backward()
    torch.testing.assert_close(image.grad, 2 * image.detach(), rtol=0, atol=0)
    batch = SuperpixelTokenizer(levels=2)([image, noise(4, 5)])
    (grad,) = torch.autograd.grad(batch.pixels.sum(), image)
    assert torch.equal(grad, torch.ones_like(image))


# ---- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"levels": 0}, ValueError, "levels must be at least 1, got 0"),
        ({"levels": 2.0}, TypeError, "levels must be an integer, got 2.0"),
        ({"levels": True}, TypeError, "levels must be an integer, got True"),
        ({"num_tokens": 0}, ValueError, "num_tokens must be at least 1, got 0"),
        ({"num_tokens": "9"}, TypeError, "num_tokens must be an integer, got '9'"),
        ({"compactness": -0.1}, ValueError, r"compactness must be in \[0, 1\], got -0.1"),
        ({"compactness": 1.5}, ValueError, r"compactness must be in \[0, 1\], got 1.5"),
        ({"compactness": float("nan")}, ValueError, r"compactness must be in \[0, 1\], got nan"),
        ({"compactness": "0.1"}, TypeError, "compactness must be a number, got '0.1'"),
        ({"similarity": "euclid"}, ValueError, "one of 'distance', .*'cosine', got 'euclid'"),
        ({"similarity": None}, ValueError, "similarity must be one of .*, got None"),
        ({"features": "rgb"}, ValueError, "features must be one of 'lab', 'spit', got 'rgb'"),
        ({"features": 3}, ValueError, "features must be one of 'lab', 'spit', got 3"),
    ],
)
def test_wrong_arguments_are_refused(unchecked, options, error, message):
    with pytest.raises(error, match=message):
        SuperpixelTokenizer(**options)


def test_more_tokens_than_pixels_are_refused():
    with pytest.raises(ValueError, match="num_tokens=31 is more than the 30 pixels of image 1"):
        SuperpixelTokenizer(num_tokens=31)([noise(8, 8), noise(5, 6)])


@pytest.mark.parametrize(
    "images", [torch.full((3, 4, 4), torch.nan), torch.rand(4, 9, 9), torch.rand(3, 0, 4), []]
)
def test_what_is_no_picture_is_refused(images):
    with pytest.raises(ValueError, match="expected"):
        SuperpixelTokenizer()(images)


def test_repr():
    assert repr(SuperpixelTokenizer(similarity="ward")) == (
        "SuperpixelTokenizer(levels=4, compactness=0, similarity='ward', features='lab')"
    )
    assert repr(SuperpixelTokenizer(num_tokens=9, compactness=0.1, features=rgb)).endswith(
        "features='callable')"
    )


def test_a_tokenizer_has_no_parameters():
    tokenizer = SuperpixelTokenizer()
    assert isinstance(tokenizer, torch.nn.Module)
    assert not list(tokenizer.parameters()) and not tokenizer.state_dict()
