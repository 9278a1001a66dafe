"""Real pretrained ViTs, where a variable names the folder that they lie in."""

import os
from pathlib import Path

import pytest
import torch
from torch_geometric.data import Batch

from helpers.own_features import assert_own_features, pictures
from helpers.pictures import noise
from helpers.vits import (
    normalised,
    plain_vit,
    relative_difference,
)
from spitgraph import from_vit

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
    model = from_vit(state, **statistics, **options, image_size=112)
    table = model.embedder.position_table.flatten(1, 2)
    state["pos_embed"] = torch.cat([torch.zeros(1, 1, table.shape[2]), table], dim=1)
    state["cls_token"] = model.embedder.cls_token
    images = pictures((112, 112))
    assert_own_features(model, state, images, **options, **oracle)
    tokens = [model.tokenize(images[0]), model.tokenize(noise(112, 56))]  # of unequal counts
    own = plain_vit(state, normalised(images[:1], **statistics), **options, **oracle).pooled
    for layout in ("packed", "padded"):
        model.backbone.attention = layout
        with torch.no_grad():
            features = model.forward_features(Batch.from_data_list(tokens))
        assert relative_difference(features.class_token[:1], own) < 1e-4


@pytest.mark.slow
@pytest.mark.skipif("SPITGRAPH_WEIGHTS" not in os.environ, reason="SPITGRAPH_WEIGHTS is not set")
@pytest.mark.parametrize("name", REAL)
def test_pretrained_weights_at_their_own_size(name):
    from safetensors.torch import load_file

    statistics, options, oracle = REAL[name]
    state = load_file(Path(os.environ["SPITGRAPH_WEIGHTS"]) / f"{name}.safetensors")
    model = from_vit(state, **statistics, **options)  # of numbers of 16 bits
    images = pictures((model.image_size,) * 2, count=1)
    state = {key: value.float() for key, value in state.items()}
    assert_own_features(model, state, images, **options, **oracle)
