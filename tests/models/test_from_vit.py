"""A pretrained ViT taken as it is: its own features and logits on its own patches."""

import pytest
import torch
from torch.nn.functional import interpolate

from helpers.models import logits_of_noise
from helpers.own_features import STATISTICS, assert_own_features, pictures, small
from helpers.pictures import noise
from helpers.vits import (
    DEPTH,
    HEADS,
    WIDTH,
    normalised,
    plain_vit,
    random_vit,
    relative_difference,
)
from spitgraph import InterpolationExtractor, WindowExtractor
from spitgraph.models import configuration_of, model_from_weights, save_weights
from spitgraph.tokenizers import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer

#: ViTs of all kinds, by what is special of them.
KINDS = {
    "plain": {},
    "without biases": {"qkv_bias": False, "patch_bias": False},
    "layer scale": {"layer_scale": True},
    "CLIP": {"norm_pre": True, "patch_bias": False, "head": "projection"},
    "without head": {"head": "none"},
    "DeiT": {"prefix": ("cls_token", "dist_token")},
    "registers": {"prefix": ("cls_token", "reg_token"), "positions": "registers"},
    "registers with positions": {"prefix": ("cls_token", "reg_token"), "layer_scale": True},
    "positions of patches": {"prefix": ("cls_token", "reg_token"), "positions": "patches"},
    "registers alone": {"prefix": ("reg_token",), "positions": "patches", "pool": "mean"},
    "mean": {"prefix": (), "pool": "mean"},
    "mean, then norm": {"pool": "mean_norm"},
    "attention": {"prefix": (), "pool": "attention"},
    "other grid": {"grid": (3, 3), "patch": 6},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_vits_own_features_on_its_own_patches(kind):
    state = random_vit(**KINDS[kind])
    eps = 1e-5 if "norm_pre.weight" in state else 1e-6
    model = small(state)
    assert type(model.tokenizer) is PatchTokenizer
    assert model.backbone.embed_dim == WIDTH and len(model.backbone.blocks) == DEPTH
    side = model.image_size
    assert_own_features(model, state, pictures((side, side)), eps=eps)


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu", "gelu_tanh"])
def test_activations(activation):
    state = random_vit(prefix=(), pool="attention")
    model = small(state, activation=activation)
    assert_own_features(model, state, pictures(), activation=activation)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tokenizer", ["patch", "superpixel"])
def test_a_saved_model_is_the_same_again(tmp_path, kind, tokenizer):
    model = small(random_vit(**KINDS[kind]), tokenizer=tokenizer, norm_eps=1e-4)
    save_weights(model, tmp_path / "weights.safetensors")
    again = model_from_weights(tmp_path / "weights.safetensors")
    assert configuration_of(again) == configuration_of(model)
    assert torch.equal(logits_of_noise(again), logits_of_noise(model))


def test_of_tensors_alone_what_shapes_do_not_say_is_told(tmp_path):
    model = small(random_vit(**KINDS["CLIP"]), activation="quick_gelu")
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    told = {**STATISTICS, "num_heads": HEADS, "activation": "quick_gelu", "norm_eps": 1e-5}
    again = model_from_weights(tmp_path / "weights.pt", family="vit", **told)
    assert torch.equal(logits_of_noise(again), logits_of_noise(model))


def test_autocast_and_fewer_bits():
    state = random_vit(prefix=("reg_token",), positions="patches", pool="attention")
    expected = plain_vit(state, normalised(pictures())).logits
    for dtype in (torch.float32, torch.bfloat16):
        model = small(state).to(dtype)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, dtype == torch.float32):
            assert relative_difference(model(pictures()).float(), expected) < 0.1


def test_other_tokenizers_have_as_many_tokens_and_the_same_weights():
    state = random_vit(grid=(4, 4))
    patch = small(state).state_dict()
    for name, kind in (("superpixel", SuperpixelTokenizer), ("voronoi", VoronoiTokenizer)):
        model = small(state, tokenizer=name)
        assert type(model.tokenizer) is kind
        assert type(model.extractor) is WindowExtractor
        assert all(torch.equal(value, patch[key]) for key, value in model.state_dict().items())
        assert model.tokenizer.num_tokens == 16
        assert model(pictures((20, 30))).isfinite().all()
    assert repr(small(state, tokenizer="superpixel", levels=2).tokenizer) == repr(
        SuperpixelTokenizer(2)
    )
    assert small(state, tokenizer="superpixel", num_tokens=5).tokenizer.num_tokens == 5


# ---- layouts, sizes ------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["packed", "padded"])
@pytest.mark.parametrize("kind", ["registers", "attention", "mean, then norm"])
def test_images_of_several_sizes_in_one_batch(kind, layout):
    """Those of the grid have the ViT's own features; all are what they are alone."""
    state = random_vit(**KINDS[kind])
    model = small(state)
    images = [noise(16, 16), noise(16, 24, 1), noise(5, 9, 2), noise(16, 16, 3)]
    model.backbone.attention = layout
    with torch.no_grad():
        logits = model(images)
        alone = torch.cat([model(image) for image in images])
    assert relative_difference(logits, alone) < 1e-5
    own = plain_vit(state, normalised(torch.stack([images[0], images[3]]))).logits
    assert relative_difference(logits[[0, 3]], own) < 1e-5


@pytest.mark.parametrize("size", [(24, 24), (16, 24), (8, 8)])
def test_another_size_resizes_the_table(size):
    state = random_vit(prefix=("cls_token", "reg_token"), positions="registers")
    table = state["pos_embed"][:, 1:].unflatten(1, (4, 4)).permute(0, 3, 1, 2)
    grid = [side // 4 for side in size]
    table = interpolate(table, grid, mode="bicubic", antialias=True).flatten(2).mT
    resized = state | {"pos_embed": torch.cat([state["pos_embed"][:, :1], table], dim=1)}
    model = small(state, image_size=size if size[0] != size[1] else size[0])
    assert model.embedder.position_grid == tuple(grid)
    assert model.image_size == (size[0] if size[0] == size[1] else None)
    assert_own_features(model, resized, pictures(size))


def test_a_table_of_a_rectangle_is_read_if_its_size_is_told():
    state = random_vit(grid=(2, 5))
    with pytest.raises(ValueError, match="pos_embed has 11 rows, for no square grid"):
        small(state)
    assert_own_features(small(state, image_size=(8, 20)), state, pictures((8, 20)))


def test_other_sizes_read_positions_between_those_of_the_table():
    model = small(random_vit())
    tokens = model.tokenize(noise(32, 32))
    with torch.no_grad():
        model.embedder.linear.weight.zero_()
        rows = model.embedder(tokens).tokens - model.embedder.linear.bias
    table = model.embedder.position_table.permute(0, 3, 1, 2)
    expected = interpolate(table, (8, 8), mode="bilinear")[0].flatten(1).t()
    assert torch.allclose(rows, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["plain", "CLIP", "other grid"])
def test_stretched_patches_are_the_patches_too(kind):
    state = random_vit(**KINDS[kind])
    model = small(state, extractor="interpolation")
    assert type(model.extractor) is InterpolationExtractor
    side = model.image_size
    eps = 1e-5 if "norm_pre.weight" in state else 1e-6
    assert_own_features(model, state, pictures((side, side)), eps=eps)
