"""ViTs of Hugging Face's transformers against what `from_vit` makes of them."""

import os
from pathlib import Path

import pytest
import torch

from helpers import vit_names
from helpers.pictures import noise
from helpers.vits import Layers, normalised, relative_difference
from spitgraph import from_vit

transformers = pytest.importorskip("transformers", exc_type=ImportError)

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "image_size": 16,
    "patch_size": 4,
}
MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
#: Classes of models and of their configurations, what these are told, and what `from_vit` is.
MODELS = {
    "CLIPVisionModel": ("CLIPVisionConfig", {}, {"activation": "quick_gelu"}),
    "CLIPVisionModelWithProjection": (
        "CLIPVisionConfig",
        {"projection_dim": 5},
        {"activation": "quick_gelu"},
    ),
    "Dinov2Model": ("Dinov2Config", {}, {}),
    "Dinov2WithRegistersModel": ("Dinov2WithRegistersConfig", {}, {}),
    "ViTModel": ("ViTConfig", {}, {}),
    "ViTForImageClassification": ("ViTConfig", {"qkv_bias": False}, {}),
    "DeiTModel": ("DeiTConfig", {}, {}),
    "DeiTForImageClassification": ("DeiTConfig", {}, {}),
    "SiglipVisionModel": ("SiglipVisionConfig", {}, {"activation": "gelu_tanh"}),
}


def made(name, **options):
    """A model of random weights, of which none is where it might do nothing."""
    configuration, told, _ = MODELS[name]
    torch.manual_seed(0)
    model = getattr(transformers, name)(
        getattr(transformers, configuration)(**SMALL | told | options)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape))
    return model.eval()


def answers(outputs):
    """What a model says of images: embeddings, logits, or what it pools."""
    for name in ("image_embeds", "logits", "pooler_output"):
        if getattr(outputs, name, None) is not None:
            return getattr(outputs, name)
    return None


@torch.no_grad()
def assert_same(theirs, ours, images, pooled=True):
    """Every layer, and what is pooled."""
    outputs = theirs(
        pixel_values=normalised(images, ours.extractor.mean, ours.extractor.std),
        output_hidden_states=True,
    )
    with Layers(ours) as rows:
        features = ours.forward_features(ours.tokenize(images))
    layers = outputs.hidden_states[1:]
    for came, layer in zip(rows, layers, strict=True):
        assert relative_difference(came.reshape(layer.shape), layer) < 1e-4
    if pooled:
        assert relative_difference(ours.head(features.class_token), answers(outputs)) < 1e-4


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_and_what_is_pooled(name):
    theirs = made(name)
    ours = from_vit(theirs.state_dict(), mean=MEAN, std=STD, num_heads=4, **MODELS[name][2])
    assert ours.backbone.norm_eps == theirs.config.layer_norm_eps
    images = torch.stack([noise(16, 16), noise(16, 16, 1)])
    assert_same(theirs, ours, images, pooled=name not in ("ViTModel", "DeiTModel"))  # a pooler


@pytest.mark.slow
@pytest.mark.skipif("SPITGRAPH_WEIGHTS" not in os.environ, reason="SPITGRAPH_WEIGHTS is not set")
@pytest.mark.parametrize("name", ["clip", "saliency"])
def test_pretrained_weights(name):
    from safetensors.torch import load_file

    path = Path(os.environ["SPITGRAPH_WEIGHTS"]) / f"{name}.safetensors"
    state = {key: value.float() for key, value in load_file(path).items()}
    if name == "clip":
        size = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
        size |= {"intermediate_size": 3072, "image_size": 224, "patch_size": 16}
        theirs = made("CLIPVisionModelWithProjection", **size, projection_dim=512)
        head = {"visual_projection.weight": state.pop("head.weight")}
        tower = vit_names.hf_tower(state)
        their_state = vit_names.with_prefix(tower, "vision_model.") | head
        state["head.weight"] = head["visual_projection.weight"]
    else:
        size = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6}
        theirs = made("Dinov2Model", **size, image_size=518, patch_size=14)
        their_state = vit_names.hf_dinov2(state, int(transformers.__version__.split(".")[0]))
    missing, unexpected = theirs.load_state_dict(their_state, strict=False)
    assert not missing and set(unexpected) <= {"vision_model.embeddings.position_ids"}
    activation = "quick_gelu" if name == "clip" else "gelu"
    for content in (state, their_state):
        ours = from_vit(content, mean=MEAN, std=STD, activation=activation)
        assert_same(theirs, ours, noise(ours.image_size, ours.image_size)[None])
