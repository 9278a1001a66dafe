"""A transformer's dense features, averaged over regions."""

import pytest
import torch
from torch.nn.functional import interpolate

from helpers.models import TINY, randomised
from helpers.pictures import AWKWARD, noise
from spitgraph import PatchTokenizer, RegionPool, SuperpixelTokenizer, create_model
from spitgraph.extractors.region_pool import region_means


def make_vit():
    """A model on patches of 4×4 pixels."""
    return randomised(create_model("vit_tiny_16", **TINY)).eval()


def test_averages_the_interpolated_features_of_each_region():
    model, image = make_vit(), noise(24, 32)
    tokens = SuperpixelTokenizer(num_tokens=7)(image)
    patches = model.forward_features(model.tokenize(image)).tokens.view(1, 6, 8, -1)
    dense = interpolate(patches.movedim(-1, 1), (24, 32), mode="bilinear")[0].flatten(1)
    pooled = RegionPool(model)(tokens)
    for token in range(7):
        expected = dense[:, tokens.cluster == token].mean(dim=1)
        assert torch.allclose(pooled.x[token], expected, atol=1e-5)


def test_regions_that_lie_between_patch_centres():
    features = torch.tensor([[0.0], [1.0]])  # two patches of two pixels in a row
    cluster, size = torch.tensor([0, 0, 1, 1]), torch.tensor([2, 2])
    means = region_means(features, (1, 2), cluster, size, (1, 4))
    assert means.flatten().tolist() == [0.125, 0.875]  # pixels 0, ¼, ¾, 1


def test_an_image_has_the_same_features_in_any_batch():
    pool, tokenizer = RegionPool(make_vit()), SuperpixelTokenizer(num_tokens=5)
    images = [noise(16, 24), noise(9, 31, seed=1)]
    batch = pool(tokenizer(images))
    alone = [pool(tokenizer(image)).x for image in images]
    assert torch.allclose(batch.x, torch.cat(alone), atol=1e-5)


def test_the_picture_is_resized_to_whole_patches():
    pool = RegionPool(make_vit(), image_size=20)
    assert pool.resized(noise(30, 60)).shape == (3, 8, 20)  # ten rows become two patches
    assert pool.resized(noise(60, 3)).shape == (3, 20, 4)
    assert RegionPool(make_vit()).resized(noise(30, 61)).shape == (3, 32, 60)


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_pictures(name):
    tokens = RegionPool(make_vit())(SuperpixelTokenizer()(AWKWARD[name]))
    assert tokens.x.shape == (tokens.num_nodes, 32) and torch.isfinite(tokens.x).all()


def test_gradients_reach_the_transformer():
    model = make_vit()
    tokens = RegionPool(model)(PatchTokenizer(8)(noise(16, 16)))
    tokens.x.square().sum().backward()
    assert all(part.grad is not None for part in model.backbone.parameters())


def test_refuses_models_that_read_no_patches():
    with pytest.raises(TypeError, match="SuperpixelTokenizer"):
        RegionPool(create_model("spit_tiny_16", **TINY))
    with pytest.raises(TypeError, match="module"):
        RegionPool("vit")
    with pytest.raises(ValueError, match="image_size"):
        RegionPool(make_vit(), image_size=3)
    with pytest.raises(TypeError, match="TokenData"):
        RegionPool(make_vit())(noise(8, 8))
