"""Wrong arguments are refused at the door, by their name, wherever they come in."""

import contextlib

import numpy as np
import pytest
import torch
from torch import nn

from helpers.models import TINY
from helpers.places import REPOSITORY
from spitgraph import (
    InterpolationExtractor,
    PatchTokenizer,
    SuperpixelTokenizer,
    VoronoiTokenizer,
    transforms,
)
from spitgraph.models import (
    create_model,
    from_vit,
    load_weights,
    model_from_weights,
    model_table,
    register_family,
    retrofit,
    save_weights,
)
from spitgraph.nn import (
    Attention,
    AttentionPool,
    Backbone,
    Block,
    DropPath,
    GraphBias,
    LayerScale,
    Mlp,
    SPiT,
    TokenEmbedder,
)

pytestmark = pytest.mark.usefixtures("unchecked")

NAN, INF = float("nan"), float("inf")
#: Of what kind an argument is: values that are none, each with its error.
NOT_COUNTS = [(0, ValueError), (-1, ValueError), (2.0, TypeError), ("2", TypeError)]
NOT_COUNTS += [(True, TypeError), (NAN, TypeError), ([2], TypeError)]
NOT_FLAGS = [("no", TypeError), (1, TypeError), (None, TypeError), (0.0, TypeError)]
NOT_POSITIVE = [(0, ValueError), (-0.5, ValueError), (NAN, ValueError), (INF, ValueError)]
NOT_POSITIVE += [("0.05", TypeError), (True, TypeError), (None, TypeError), ([1.0], TypeError)]
NOT_WIDTHS = [pair for pair in NOT_POSITIVE if pair[0] is not None]
NOT_SHARES = [(-0.1, ValueError), (1.5, ValueError), (NAN, ValueError), ("1", TypeError)]
NOT_SHARES += [(True, TypeError), (None, TypeError)]
NOT_NAMES = [("other", ValueError), (3, ValueError), (None, ValueError), (["a"], ValueError)]
NOT_PATHS = [(3, TypeError), (None, TypeError), (b"weights", TypeError), (True, TypeError)]
NOT_MODELS = [(None, TypeError), (nn.Linear(2, 2), TypeError), ("model", TypeError)]


def model(**options):
    return create_model("spit_tiny_16", **TINY | options)


def call(function, *given, **known):
    """The function of one argument more."""
    return lambda name, value: function(*given, **known | {name: value})


def first(function, *rest, **known):
    """The function of its first argument."""
    return lambda name, value: function(value, *rest, **known)


def part(name, value):
    parts = {"tokenizer": nn.Identity(), "extractor": nn.Identity(), "embedder": nn.Identity()}
    return SPiT(**parts | {"backbone": nn.Identity(), "head": nn.Identity()} | {name: value})


#: What is called, its argument, and what that is not.
ARGUMENTS = [
    *[
        (call(function), name, values)
        for function in (InterpolationExtractor, transforms.ExtractFeatures)
        for name, values in (
            ("bins", [*NOT_COUNTS, (1, ValueError), (None, TypeError)]),
            ("gradient", NOT_FLAGS),
            ("sigma", [*NOT_WIDTHS, (1e-31, ValueError), (1e31, ValueError)]),
            ("mode", NOT_NAMES),
        )
    ],
    *[
        (call(function), name, values)
        for function in (
            SuperpixelTokenizer,
            transforms.ToSuperpixels,
            transforms.ContractSuperpixels,
            model,
        )
        for name, values in (
            ("levels", NOT_COUNTS),
            ("num_tokens", NOT_COUNTS),
            ("compactness", NOT_SHARES),
            ("similarity", NOT_NAMES),
            ("features", NOT_NAMES[:2]),
        )
    ],
    *[(call(f), "patch_size", NOT_COUNTS) for f in (PatchTokenizer, transforms.ToPatches)],
    *[(call(f), "num_tokens", NOT_COUNTS) for f in (VoronoiTokenizer, transforms.ToVoronoi)],
    *[
        (call(function), "generator", [(3, TypeError), ("cpu", TypeError)])
        for function in (VoronoiTokenizer, transforms.ToVoronoi)
    ],
    (call(Attention, num_heads=1), "dim", [*NOT_COUNTS, (None, TypeError)]),
    (call(Attention, 8), "num_heads", [*NOT_COUNTS, (3, ValueError)]),
    (call(Attention, 8), "qkv_bias", NOT_FLAGS),
    (call(Attention, 8), "qk_norm", NOT_FLAGS),
    (call(Block, num_heads=1), "dim", NOT_COUNTS),
    (call(Block, 8), "num_heads", NOT_COUNTS),
    (call(Block, 8, 2), "mlp_ratio", [*NOT_POSITIVE, (1e-9, ValueError)]),
    (call(Block, 8, 2), "qkv_bias", NOT_FLAGS),
    (call(Block, 8, 2), "qk_norm", NOT_FLAGS),
    (call(Block, 8, 2), "init_values", [(NAN, ValueError), ("1", TypeError), (True, TypeError)]),
    (call(DropPath), "drop_prob", [*NOT_SHARES, (1, ValueError), (1.0, ValueError)]),
    (call(LayerScale), "dim", NOT_COUNTS),
    (call(LayerScale, 4), "init_values", [(INF, ValueError), (None, TypeError)]),
    (call(Mlp, hidden_features=4), "in_features", NOT_COUNTS),
    (call(Mlp, 4), "hidden_features", NOT_COUNTS),
    (call(Mlp, 4, 4), "activation", NOT_NAMES),
    (call(GraphBias), "num_heads", NOT_COUNTS),
    (call(AttentionPool, num_heads=1), "dim", NOT_COUNTS),
    (call(AttentionPool, 8), "num_heads", [*NOT_COUNTS, (3, ValueError)]),
    (call(TokenEmbedder, embed_dim=4), "in_features", NOT_COUNTS),
    (call(TokenEmbedder, 4), "embed_dim", NOT_COUNTS),
    (call(TokenEmbedder, 4, 4), "token_budget", NOT_COUNTS),
    (call(TokenEmbedder, 4, 4, pe_dim=2), "pe_name", [(3, TypeError), (None, ValueError)]),
    (call(TokenEmbedder, 4, 4, pe_name="pe"), "pe_dim", [*NOT_COUNTS, (None, ValueError)]),
    (call(TokenEmbedder, 4, 4), "class_token", NOT_FLAGS),
    (call(TokenEmbedder, 4, 4), "registers", [(-1, ValueError), (1.5, TypeError)]),
    (call(TokenEmbedder, 4, 4), "position_grid", [(3, ValueError), ((0, 2), ValueError)]),
    (call(Backbone, num_heads=1, depth=1), "embed_dim", NOT_COUNTS),
    (call(Backbone, 8, num_heads=2), "depth", NOT_COUNTS),
    (call(Backbone, 8, 1), "num_heads", [*NOT_COUNTS, (3, ValueError)]),
    (call(Backbone, 8, 1, 2), "mlp_ratio", NOT_POSITIVE),
    (call(Backbone, 8, 1, 2), "qkv_bias", NOT_FLAGS),
    (call(Backbone, 8, 1, 2), "qk_norm", NOT_FLAGS),
    (call(Backbone, 8, 1, 2), "init_values", [(NAN, ValueError), ("1", TypeError)]),
    (call(Backbone, 8, 1, 2), "drop_path", NOT_SHARES),
    (call(Backbone, 8, 1, 2), "graph_bias", NOT_FLAGS),
    (call(Backbone, 8, 1, 2), "attention", NOT_NAMES),
    (call(Backbone, 8, 1, 2), "activation", NOT_NAMES),
    (call(Backbone, 8, 1, 2), "norm_pre", NOT_FLAGS),
    (call(Backbone, 8, 1, 2), "norm_eps", NOT_POSITIVE),
    (call(Backbone, 8, 1, 2), "pool", NOT_NAMES),
    *[(part, name, [(None, TypeError), (3, TypeError)]) for name in ("tokenizer", "head")],
    (lambda name, value: model().set_grad_checkpointing(value), "enable", NOT_FLAGS),
    *[
        (call(model), name, values)
        for name, values in (
            ("num_classes", NOT_COUNTS),
            ("gradient", NOT_FLAGS),
            ("graph_bias", NOT_FLAGS),
            ("image_size", NOT_COUNTS),
            ("token_budget", NOT_COUNTS),
            ("drop_path", NOT_SHARES),
            ("embed_dim", [*NOT_COUNTS, (None, TypeError)]),
            ("depth", NOT_COUNTS),
            ("num_heads", [*NOT_COUNTS, (3, ValueError)]),
            ("mlp_ratio", NOT_POSITIVE),
            ("qkv_bias", NOT_FLAGS),
            ("qk_norm", NOT_FLAGS),
            ("size_bias", NOT_FLAGS),
            ("class_token", NOT_FLAGS),
            ("norm_pre", NOT_FLAGS),
            ("norm_eps", NOT_POSITIVE),
            ("activation", NOT_NAMES),
            ("pool", NOT_NAMES),
            ("head", NOT_NAMES),
            ("bins", NOT_COUNTS),
            ("sigma", NOT_POSITIVE),
            ("init_values", [(NAN, ValueError), ("1", TypeError), (None, TypeError)]),
            ("colour", [(3, TypeError)]),
        )
    ],
    (call(create_model, "vit_tiny_16"), "patch_size", NOT_COUNTS),
    (call(create_model, "rvit_tiny_16"), "image_size", NOT_COUNTS),
    (first(create_model), "model", NOT_NAMES),
    (call(model_table), "num_tokens", NOT_COUNTS),
    (call(register_family), "family", [(None, TypeError), ("spit", TypeError)]),
    (first(save_weights, "nowhere"), "model", NOT_MODELS),
    (first(load_weights, "nowhere"), "model", NOT_MODELS),
    (call(save_weights, model()), "path", NOT_PATHS),
    (call(load_weights, model()), "path", NOT_PATHS),
    (call(model_from_weights), "path", NOT_PATHS),
    (call(model_from_weights, "nowhere"), "family", NOT_NAMES),
    (first(retrofit, {}), "model", NOT_MODELS),
    (
        call(from_vit),
        "vit_state_dict",
        [(None, ValueError), ([1], ValueError), ({"a": 1}, ValueError), ({}, ValueError)],
    ),
    (call(from_vit, {}), "tokenizer", NOT_NAMES),
    (
        call(retrofit, model()),
        "vit_state_dict",
        [(None, ValueError), ([1], ValueError), ({"a": 1}, ValueError), ({}, ValueError)],
    ),
]


@pytest.mark.parametrize(
    ("function", "name", "value", "error"),
    [
        pytest.param(function, name, value, error, id=f"{index}-{name}-{value!r:.12}")
        for index, (function, name, values) in enumerate(ARGUMENTS)
        for value, error in values
    ],
)
def test_a_wrong_argument_is_refused_by_its_name(function, name, value, error):
    with pytest.raises((TypeError, ValueError), match=name) as caught:
        function(name, value)
    assert isinstance(caught.value, error)
    assert caught.traceback[-1].path.is_relative_to(REPOSITORY / "spitgraph")  # said by us


def vit(side=4):
    state = {"cls_token": torch.zeros(1, 1, 32), "pos_embed": torch.zeros(1, 17, 32)}
    return state | {"patch_embed.proj.weight": torch.zeros(32, 3, side, side)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": "224"}, "image_size must be an integer"),
        ({"image_size": 17}, "image_size must be a multiple of 16"),
        ({"mean": 0.5, "std": (1, 1, 1)}, "mean must be of three channels, got 0.5"),
        ({"mean": (0.5, 0.5), "std": (1, 1, 1)}, "mean must be of three channels"),
        ({"mean": "abc", "std": (1, 1, 1)}, "mean must be of three channels"),
        ({"mean": (0.5, "a", 0.5), "std": (1, 1, 1)}, "mean must be a number, got 'a'"),
        ({"mean": (0.5, NAN, 0.5), "std": (1, 1, 1)}, "mean must be finite"),
        ({"mean": (0, 0, 0), "std": (1, 0, 1)}, "std must be positive"),
        ({"mean": (0, 0, 0)}, "mean and std must be given together"),
    ],
)
def test_retrofit_refuses_wrong_arguments(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        retrofit(model(), vit(), **arguments)


@pytest.mark.parametrize("function", ["save_pretrained", "push_to_hub", "from_pretrained"])
def test_the_hub_refuses_wrong_arguments(function, tmp_path):
    pytest.importorskip("huggingface_hub")
    from spitgraph.models import hub

    call = getattr(hub, function)
    if function == "from_pretrained":
        with pytest.raises(TypeError, match="name must be a string"):
            call(3)
        return
    with pytest.raises(TypeError, match="model must be a SPiT"):
        call(nn.Linear(2, 2), str(tmp_path))
    with pytest.raises(TypeError, match="(folder|repo_id) must be a string"):
        call(model(), 3)


@pytest.mark.parametrize("kind", [np.float32, np.float64, torch.tensor])
def test_numbers_of_numpy_and_pytorch_are_numbers(kind):
    extract = InterpolationExtractor(4, sigma=kind(0.25))
    assert type(extract.sigma) is float and extract.sigma == 0.25
    assert type(DropPath(kind(0.5)).drop_prob) is float
    made = create_model(
        "spit_tiny_16", **TINY, mlp_ratio=kind(2.0), drop_path=kind(0.25), compactness=kind(0.5)
    )
    assert made.backbone.blocks[0].mlp.fc1.out_features == 64
    assert InterpolationExtractor(4, gradient=np.bool_(False)).gradient is False


def test_what_is_told_by_numbers_of_numpy_is_saved(tmp_path):
    made = model(sigma=np.float32(0.25), mlp_ratio=np.float64(2), gradient=np.bool_(True))
    save_weights(made, tmp_path / "weights.safetensors")
    again = model_from_weights(tmp_path / "weights.safetensors")
    with contextlib.suppress(ImportError):
        from spitgraph.models import save_pretrained

        save_pretrained(made, tmp_path / "folder")
    assert again.extractor.sigma == 0.25
