"""Features of tokens are those that the model itself computes, whatever the layout."""

import pytest
import torch

from helpers.models import EVEN, TINY, UNEVEN, WIDTH, make_random_model, make_random_tokens
from helpers.pictures import noise, seeded
from spitgraph import SuperpixelTokenizer, create_model, segment


@pytest.mark.parametrize("attention", ["padded", "packed"])
@pytest.mark.parametrize("counts", [UNEVEN, EVEN])
@pytest.mark.parametrize("kind", ["tokens", "queries", "keys", "values"])
def test_features_are_those_of_each_image_alone(attention, counts, kind):
    model, batch = make_random_model(attention=attention), make_random_tokens(counts)
    features = segment.token_features(model, batch, kind, layer=1)
    assert features.shape == (sum(counts), WIDTH)
    alone = [segment.token_features(model, batch[i], kind) for i in range(len(counts))]
    torch.testing.assert_close(features, torch.cat(alone))


def test_those_of_the_last_block_are_the_final_tokens():
    model, batch = make_random_model(), make_random_tokens()
    expected = model.forward_features(batch).tokens
    assert torch.equal(segment.token_features(model, batch), expected)
    assert not torch.equal(segment.token_features(model, batch, layer=0), expected)


@pytest.mark.parametrize("qk_norm", [False, True])
def test_keys_are_what_attention_reads(qk_norm):
    model, tokens = make_random_model(depth=1, qk_norm=qk_norm), make_random_tokens()[0]
    block = model.backbone.blocks[0]
    rows = model.embedder(tokens).x
    q, k, v = block.attn.qkv(block.norm1(rows)).unflatten(-1, (3, 4, -1)).unbind(-3)
    q, k = block.attn.q_norm(q), block.attn.k_norm(k)
    for kind, expected in (("queries", q), ("keys", k), ("values", v)):
        found = segment.token_features(model, tokens, kind)
        torch.testing.assert_close(found, expected[1:].flatten(1))


def test_no_hook_is_left():
    model, batch = make_random_model(), make_random_tokens()
    segment.token_features(model, batch, "keys")
    with pytest.raises(ValueError, match="no x"):
        segment.token_features(model, SuperpixelTokenizer()(noise(8, 8)))
    assert not any(module._forward_hooks for module in model.modules())


def test_what_cannot_be_had_is_refused(unchecked):
    model, batch = make_random_model(token_budget=3), make_random_tokens()
    with pytest.raises(ValueError, match="layer must be in -2 … 1"):
        segment.token_features(model, batch, layer=2)
    with pytest.raises(ValueError, match="kind must be one of"):
        segment.token_features(model, batch, "logits")
    with pytest.raises(TypeError, match="model must be a SPiT"):
        segment.token_features(torch.nn.Identity(), batch)
    with pytest.raises(ValueError, match=r"model\.eval\(\)"):
        segment.token_features(model.train(), batch)


# ---- of patches, at regions ----------------------------------------------------------------------


@pytest.mark.parametrize("level", [None, 1, 2])
def test_pooled_features_are_means_of_interpolated_ones(level):
    tokens = SuperpixelTokenizer(levels=3)(noise(23, 31))
    grid = torch.randn(5, 4, 6, generator=seeded(0))
    dense = torch.nn.functional.interpolate(grid[None], (23, 31), mode="bilinear")[0]
    expected = tokens.tree.pool(dense.flatten(1).T.contiguous(), 3 if level is None else level)
    found = segment.pool_grid(grid, tokens, level=level)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_a_grid_is_as_the_patches_lie():
    model = create_model("vit_tiny_16", **TINY).eval()
    image = noise(12, 20)
    grid = segment.grid_features(model, image)
    assert grid.shape == (32, 3, 5)
    expected = model.forward_features(model.tokenize(image)).tokens
    assert torch.equal(grid.flatten(1).T, expected)
    assert segment.grid_features(model, image, long_side=41).shape == (32, 6, 10)
    meant = create_model("vit_tiny_16", **TINY, image_size=32).eval()
    assert segment.grid_features(meant, image).shape == (32, 5, 8)  # 32·12/20 is 4.8 patches
    tokens = segment.grid_tokens(grid, image)
    assert torch.equal(tokens.cluster, model.tokenize(image).cluster)


def test_grids_of_other_shapes_are_refused(unchecked):
    tokens = SuperpixelTokenizer()(noise(9, 9))
    with pytest.raises(ValueError, match=r"expected grid \[D, h, w\] of floats, got \[4, 3\]"):
        segment.pool_grid(torch.zeros(4, 3), tokens)
    with pytest.raises(ValueError, match="one image"):
        segment.pool_grid(torch.zeros(4, 3, 3), SuperpixelTokenizer()([noise(9, 9)]))
    with pytest.raises(ValueError, match=r"at least \[10, 3\] pixels, got \[9, 9\]"):
        segment.grid_tokens(torch.zeros(4, 10, 3), noise(9, 9))
    with pytest.raises(ValueError, match="model of patches"):
        segment.grid_features(create_model("spit_tiny_16", **TINY), noise(9, 9))
