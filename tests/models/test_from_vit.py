"""A pretrained ViT taken as it is: its own features and logits on its own patches."""

import os
from pathlib import Path

import pytest
import torch

from helpers.models import logits_of_noise
from helpers.pictures import noise
from helpers.vits import (
    DEPTH,
    HEADS,
    MEAN,
    STD,
    WIDTH,
    Layers,
    normalised,
    plain_vit,
    random_vit,
    relative_difference,
)
from spitgraph import from_vit
from spitgraph.models import configuration_of, model_from_weights, save_weights
from spitgraph.tokenizers import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer

STATISTICS = {"mean": MEAN, "std": STD}


def small(state, **options):
    return from_vit(state, **{**STATISTICS, "num_heads": HEADS} | options)


def pictures(side=(16, 16), count=2):
    return torch.stack([noise(*side, seed=seed) for seed in range(count)])


@torch.no_grad()
def assert_own_features(model, state, images, within=1e-4, **options):
    """Every layer, the final tokens and the logits are those of the plain ViT."""
    expected = plain_vit(
        state, normalised(images, model.extractor.mean, model.extractor.std), **options
    )
    tokens = model.tokenize(images)
    with Layers(model) as rows:
        features = model.forward_features(tokens)
    for came, layer in zip(rows, expected.layers, strict=True):
        assert relative_difference(came.reshape(layer.shape), layer) < within
    assert (
        relative_difference(features.tokens.view(expected.tokens.shape), expected.tokens) < within
    )
    assert relative_difference(features.class_token, expected.pooled) < within
    assert relative_difference(model(images), expected.logits) < within


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


def test_other_tokenizers_have_as_many_tokens_and_the_same_weights():
    state = random_vit(grid=(4, 4))
    patch = small(state).state_dict()
    for name, kind in (("superpixel", SuperpixelTokenizer), ("voronoi", VoronoiTokenizer)):
        model = small(state, tokenizer=name)
        assert type(model.tokenizer) is kind
        assert model.extractor.mode == "bilinear"
        assert all(torch.equal(value, patch[key]) for key, value in model.state_dict().items())
        assert model.tokenizer.num_tokens == 16
        assert model(pictures((20, 30))).isfinite().all()
    assert repr(small(state, tokenizer="superpixel", levels=2).tokenizer) == repr(
        SuperpixelTokenizer(2)
    )
    assert small(state, tokenizer="superpixel", num_tokens=5).tokenizer.num_tokens == 5


REAL = {
    "clip": (
        {"mean": (0.48145466, 0.4578275, 0.40821073), "std": (0.26862954, 0.26130258, 0.27577711)},
        {"activation": "quick_gelu"},
        {"heads": 12, "eps": 1e-5},
    ),
    "saliency": (
        {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
        {},
        {"heads": 6},
    ),
}


@pytest.mark.skipif("SPITGRAPH_WEIGHTS" not in os.environ, reason="SPITGRAPH_WEIGHTS is not set")
@pytest.mark.parametrize("name", REAL)
def test_pretrained_weights(name):
    from safetensors.torch import load_file

    statistics, options, oracle = REAL[name]
    path = Path(os.environ["SPITGRAPH_WEIGHTS"]) / f"{name}.safetensors"
    state = {key: value.float() for key, value in load_file(path).items()}
    model = from_vit(state, **statistics, **options)
    images = pictures((model.image_size,) * 2, count=1)
    assert_own_features(model, state, images, **options, **oracle)
