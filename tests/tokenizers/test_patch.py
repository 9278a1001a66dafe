"""Square patches, row by row, smaller at the right and lower border."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch_geometric.data import Batch

from helpers.pictures import noise
from spitgraph import PatchTokenizer


@given(height=st.integers(1, 20), width=st.integers(1, 20), patch_size=st.integers(1, 24))
def test_patches_are_squares_row_by_row(extensions, height, width, patch_size):
    tokens = PatchTokenizer(patch_size)(noise(height, width))
    token = 0
    for top in range(0, height, patch_size):
        for left in range(0, width, patch_size):
            bottom, right = min(top + patch_size, height), min(left + patch_size, width)
            assert tokens.bbox[token].tolist() == [left, top, right, bottom]
            assert tokens.size[token] == (bottom - top) * (right - left)
            assert (tokens.seg[0, top:bottom, left:right] == token).all()
            token += 1
    assert tokens.num_nodes == token
    assert [parent.tolist() for parent in tokens.parents] == [tokens.cluster.tolist()]


def test_borders_of_patches():
    #  0 1      3×3, 3×2
    #  2 3      1×3, 1×2
    tokens = PatchTokenizer(3)(noise(4, 5))
    assert tokens.edge_index.tolist() == [[0, 0, 1, 1, 2, 2, 3, 3], [1, 2, 0, 3, 0, 3, 1, 2]]
    assert tokens.edge_attr.flatten().tolist() == [3, 3, 3, 2, 3, 1, 2, 1]


def test_tokens_do_not_depend_on_the_batch(extensions, awkward_images, assert_same):
    tokenizer = PatchTokenizer(4)
    batch = tokenizer(awkward_images)
    assert isinstance(batch, Batch)
    for i, image in enumerate(awkward_images):
        assert_same(batch[i], tokenizer(image))


def test_tokens_do_not_depend_on_the_device(device, awkward_images, assert_same):
    there = PatchTokenizer(4)([image.to(device) for image in awkward_images])
    assert_same(there.cpu(), PatchTokenizer(4)(awkward_images))


def test_gradients_flow_to_the_pixels():
    image = noise(6, 7).requires_grad_()
    PatchTokenizer(4)(image).pixels.sum().backward()
    assert torch.equal(image.grad, torch.ones_like(image))


@pytest.mark.parametrize(
    ("patch_size", "error", "message"),
    [
        (0, ValueError, "patch_size must be at least 1, got 0"),
        (-4, ValueError, "patch_size must be at least 1, got -4"),
        (16.0, TypeError, "patch_size must be an integer, got 16.0"),
        ((16, 16), TypeError, r"patch_size must be an integer, got \(16, 16\)"),
        (None, TypeError, "patch_size must be an integer, got None"),
    ],
)
def test_wrong_patch_sizes_are_refused(unchecked, patch_size, error, message):
    with pytest.raises(error, match=message):
        PatchTokenizer(patch_size)


def test_repr_and_default():
    assert repr(PatchTokenizer()) == "PatchTokenizer(patch_size=16)"
    assert PatchTokenizer()(noise(32, 33)).num_nodes == 6
