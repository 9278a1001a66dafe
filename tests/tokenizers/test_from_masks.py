"""Overlapping masks become tokens: every pixel one, the masks' own borders kept."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from helpers.effort import examples
from helpers.labels import components
from helpers.pictures import AWKWARD, mixed, noise, seeded
from spitgraph import from_masks
from spitgraph.grid import connected_parts, pixel_edges


def rectangles(height, width, count, seed):
    """Overlapping rectangles [count, H, W], with a hole in each that is large enough."""
    generator = seeded(seed)
    masks = torch.zeros(count, height, width, dtype=torch.bool)
    for mask in masks:
        y = torch.randint(height + 1, (2,), generator=generator).sort().values.tolist()
        x = torch.randint(width + 1, (2,), generator=generator).sort().values.tolist()
        mask[y[0] : y[1] + 1, x[0] : x[1] + 1] = True
        mask[y[0] + 2 : y[1] - 1, x[0] + 2 : x[1] - 1] = False
        mask[0, 0] |= not mask.any()
    return masks


def on_top(masks, order="smallest"):
    """Pixel by pixel, as the rule says."""
    _, height, width = masks.shape
    top = torch.full((height, width), -1)
    for y in range(height):
        for x in range(width):
            there = masks[:, y, x].nonzero()[:, 0].tolist()
            if there:
                sizes = masks.sum((1, 2)).tolist()
                top[y, x] = min(there, key=lambda m: (sizes[m] if order == "smallest" else 0, m))
    return top


@pytest.mark.parametrize("order", ["smallest", "given"])
@examples(15)
@given(data=st.data())
def test_a_token_a_mask_and_superpixels_elsewhere(order, data):
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    masks = rectangles(height, width, data.draw(st.integers(1, 5)), data.draw(st.integers(0, 999)))
    tokens = from_masks(noise(height, width), masks, order=order, levels=2)
    top = on_top(masks, order)
    assert torch.equal(tokens.mask[tokens.cluster].view(height, width), top)
    seen = tokens.mask[tokens.mask >= 0]
    assert seen.sort().values.tolist() == top[top >= 0].unique().tolist()
    assert int(tokens.size.sum()) == height * width
    rest = torch.where(tokens.mask[tokens.cluster].view(height, width) < 0, tokens.seg[0], -1)
    assert len(connected_parts(rest)[rest.flatten() >= 0].unique()) == int((tokens.mask < 0).sum())


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("how", [{}, {"connected": True, "min_size": 3}])
def test_awkward_pictures(name, how):
    image = AWKWARD[name]
    masks = rectangles(*image.shape[1:], 3, seed=1)
    tokens = from_masks(image, masks, **how)
    assert int(tokens.size.sum()) == image[0].numel()
    assert torch.equal(tokens.partition(len(tokens.parents)), tokens.cluster)
    fewest = from_masks(image, masks, num_tokens=1, **how)
    assert fewest.num_nodes == 1


def test_an_exact_count_is_of_masks_and_the_rest():
    image, masks = mixed(), rectangles(24, 31, 6, seed=3)
    num_masks = len(on_top(masks).unique()) - 1
    is_open = (on_top(masks) < 0).flatten()
    least = num_masks + len(connected_parts(on_top(masks))[is_open].unique())
    for count in (least + 40, least, least - 1, num_masks - 2, 1):
        tokens = from_masks(image, masks, num_tokens=count)
        assert tokens.num_nodes == count
        if count >= least:
            assert torch.equal(tokens.mask[tokens.cluster].view(24, 31), on_top(masks))
        else:  # masks were merged whole
            whole = torch.stack([on_top(masks).flatten(), tokens.cluster])
            whole = whole[:, whole[0] >= 0].unique(dim=1)
            assert whole.shape[1] == num_masks
    most = num_masks + int(is_open.sum())
    assert from_masks(image, masks, num_tokens=most).num_nodes == most
    with pytest.raises(ValueError, match=f"is more than the {num_masks} regions of masks and the"):
        from_masks(image, masks, num_tokens=most + 1)


def test_levels_are_nested_and_masks_are_there_from_the_first_on():
    image, masks = mixed(), rectangles(24, 31, 4, seed=5)
    tokens = from_masks(image, masks, levels=3)
    assert len(tokens.parents) == 3
    top = on_top(masks).flatten()
    for level in (1, 2, 3):
        region = tokens.partition(level)
        pairs = torch.stack([top, region])[:, top >= 0].unique(dim=1)
        assert len(pairs[1].unique()) == pairs.shape[1] == len(pairs[0].unique())
    assert from_masks(image, masks, num_tokens=3).num_nodes == 3


def test_pieces_of_their_own():
    bar = torch.zeros(3, 7, dtype=torch.bool)
    bar[1] = True
    post = torch.zeros(3, 7, dtype=torch.bool)
    post[:, 3] = True  # the smaller one: the bar is seen on both of its sides
    image = torch.zeros(3, 3, 7)
    whole = from_masks(image, [bar, post])
    assert (whole.mask >= 0).sum() == 2
    pieces = from_masks(image, [bar, post], connected=True)
    assert sorted(pieces.mask[pieces.mask >= 0].tolist()) == [0, 0, 1]
    u, v = pixel_edges(3, 7)
    same = pieces.cluster[u] == pieces.cluster[v]
    assert components(21, u[same], v[same])[0] == pieces.num_nodes


def test_a_sliver_joins_the_mask_that_it_resembles():
    image = torch.tensor([0.1, 0.1, 0.8, 0.9, 0.9]).expand(3, 1, 5)
    masks = [torch.tensor([[1, 1, 0, 0, 0]]).bool(), torch.tensor([[0, 0, 0, 1, 1]]).bool()]
    assert from_masks(image, masks).mask.tolist() == [0, -1, 1]
    grown = from_masks(image, masks, min_size=2)
    assert grown.mask.tolist() == [0, 1]
    assert grown.cluster.tolist() == [0, 0, 1, 1, 1]
    kept = from_masks(image, masks, min_size=1)
    assert kept.mask.tolist() == [0, -1, 1]


def test_a_mask_that_others_hide_is_no_token():
    left, right = torch.zeros(2, 2, 4, dtype=torch.bool)
    left[:, :2], right[:, 2:] = True, True
    tokens = from_masks(noise(2, 4), [left | right, left, right])
    assert tokens.mask.tolist() == [1, 2]


def test_a_list_an_array_and_what_sam_returns(assert_same):
    image, masks = noise(9, 8), rectangles(9, 8, 3, seed=2)
    tokens = from_masks(image, masks)
    as_sam = [{"segmentation": mask.numpy(), "area": int(mask.sum())} for mask in masks]
    for other in (list(masks), masks.numpy(), [mask.numpy() for mask in masks], as_sam):
        assert_same(from_masks(image, other), tokens)


@pytest.mark.parametrize("how", [{}, {"num_tokens": 9}, {"connected": True, "min_size": 4}])
def test_the_batch_does_not_matter(how, assert_same):
    images = [noise(9, 8), mixed(), noise(7, 12, 1)]
    masks = [rectangles(*image.shape[1:], 2 + i, seed=i) for i, image in enumerate(images)]
    batch = from_masks(images, masks, **how)
    for index, image in enumerate(images):
        assert_same(batch[index], from_masks(image, masks[index], **how))


def test_gradients_flow_and_the_device_is_the_images(device):
    image = noise(6, 6).to(device).requires_grad_()
    tokens = from_masks(image, rectangles(6, 6, 2, seed=0), num_tokens=5)
    tokens.pixels.sum().backward()
    assert torch.equal(image.grad, torch.ones_like(image))
    assert tokens.mask.device.type == tokens.cluster.device.type == device.type


ONE = torch.ones(2, 3, dtype=torch.bool)


@pytest.mark.parametrize(
    ("images", "masks", "error", "message"),
    [
        (noise(2, 3), [], ValueError, "at least one mask, got none"),
        (noise(2, 3), torch.empty(0, 2, 3).bool(), ValueError, "at least one mask, got none"),
        (noise(2, 3), [ONE, ONE.t()], ValueError, r"mask 1 must be \[2, 3\].*got \[3, 2\]"),
        (noise(2, 3), ONE, ValueError, r"\[M, H, W\].*got shape \[2, 3\]"),
        (noise(2, 3), [ONE.long()], TypeError, "mask 0 must hold bools, got torch.int64"),
        (noise(2, 3), [np.ones((2, 3))], TypeError, "mask 0 must hold bools, got float64"),
        (noise(2, 3), [np.ma.masked_array(ONE, ONE)], ValueError, "mask 0 is a masked array"),
        (noise(2, 3), [[[True] * 3] * 2], TypeError, "mask 0 must hold bools, got list"),
        (noise(2, 3), [ONE, ~ONE], ValueError, "mask 1 has no pixels"),
        (noise(2, 3), [{"area": 6}], ValueError, "no 'segmentation', only area"),
        (noise(2, 3), [{"segmentation": {"counts": []}}], TypeError, "run-length encoded"),
        (noise(2, 3), None, TypeError, "masks must be .*got NoneType"),
        (noise(2, 3), "masks", TypeError, "masks must be .*got str"),
        ([noise(2, 3)] * 2, [[ONE]], ValueError, "2 images but masks of 1"),
        ([noise(2, 3)] * 2, [[ONE], []], ValueError, "at least one mask of image 1"),
        ([noise(2, 3)], None, TypeError, "masks for each image, got NoneType"),
    ],
)
def test_wrong_masks_are_refused(unchecked, images, masks, error, message):
    with pytest.raises(error, match=message):
        from_masks(images, masks)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"order": "largest"}, ValueError, "order must be one of 'smallest', 'given'"),
        ({"connected": 1}, TypeError, "connected must be True or False"),
        ({"min_size": -1}, ValueError, "min_size must be at least 0"),
        ({"min_size": 2.5}, TypeError, "min_size must be an integer"),
        ({"levels": 0}, ValueError, "levels must be at least 1"),
        ({"num_tokens": 2, "quality": "fine"}, ValueError, "quality='fast', got 'fine'"),
    ],
)
def test_wrong_options_are_refused(unchecked, options, error, message):
    with pytest.raises(error, match=message):
        from_masks(noise(2, 3), [ONE], **options)
