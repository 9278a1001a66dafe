"""What `from_vit` promises, as one assertion."""

import torch

from spitgraph import from_vit

from .pictures import noise
from .vits import HEADS, MEAN, STD, Layers, normalised, plain_vit, relative_difference

STATISTICS = {"mean": MEAN, "std": STD}


def small(state, **options):
    """`from_vit` of a small random ViT."""
    return from_vit(state, **{**STATISTICS, "num_heads": HEADS} | options)


def pictures(side=(16, 16), count=2):
    """Noise, as one tensor."""
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
