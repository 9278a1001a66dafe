"""A pretrained ViT taken as it is: its own features and logits on its own patches."""

import os
from pathlib import Path

import pytest
import torch
from torch.nn.functional import interpolate
from torch_geometric.data import Batch

from helpers.models import logits_of_noise
from helpers.pictures import noise
from helpers.vits import (
    CLASSES,
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
from spitgraph import create_model, from_vit, retrofit
from spitgraph.batching import with_node_attribute
from spitgraph.extractors import Extractor, InterpolationExtractor
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
        assert model.extractor.mode == "bilinear"
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


# ---- what is told --------------------------------------------------------------------------------


def test_without_mean_and_std_it_reads_pictures_as_they_are():
    state = random_vit()
    model = from_vit(state, num_heads=HEADS)
    expected = plain_vit(state, pictures()).logits
    with torch.no_grad():
        assert relative_difference(model(pictures()), expected) < 1e-5


def test_settings_reach_their_parts():
    model = small(random_vit(), token_budget=5, drop_path=0.2, graph_bias=True, norm_eps=1e-3)
    assert model.embedder.token_budget == 5
    assert model.backbone.blocks[-1].drop_path1.drop_prob == 0.2
    assert not model.backbone.graph_bias.table.any()
    assert model.backbone.norm.eps == 1e-3
    assert not model.training


def test_pooling_may_be_told():
    state = random_vit()
    model = small(state, pool="mean")
    assert_own_features(model, state, pictures(), pool="mean")


class Means(Extractor):
    """The mean colour of a region, as one sample, ahead of its size."""

    layout = {"size": slice(0, 1), "red": slice(1, 2), "green": slice(2, 3), "blue": slice(3, 4)}

    def forward(self, tokens):
        x = torch.cat([tokens.size[:, None].float(), tokens.color], dim=1)
        return with_node_attribute(tokens, "x", x)


def test_an_extractor_of_ones_own():
    state = random_vit()
    model = from_vit(state, num_heads=HEADS, extractor=Means(), tokenizer="superpixel")
    assert isinstance(model.extractor, Means)
    assert model.embedder.linear.weight.shape == (WIDTH, 4)
    assert not model.embedder.linear.weight[:, 0].any()
    assert model(pictures()).isfinite().all()
    own = InterpolationExtractor(4, mode="nearest", mean=MEAN, std=STD)  # with gradients
    model = from_vit(state, num_heads=HEADS, extractor=own)
    assert not model.embedder.linear.weight[:, own.layout["gradient"]].any()
    assert_own_features(model, state, pictures())
    with pytest.raises(ValueError, match="mean and std are for the extractor to know"):
        small(state, extractor=Means())
    Means.layout = {"red": slice(0, 4)}
    with pytest.raises(ValueError, match="layout of Means must have red, green, blue"):
        from_vit(state, num_heads=HEADS, extractor=Means())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"tokenizer": "slic"}, ValueError, "tokenizer must be one of 'patch', 'superpixel'"),
        ({"activation": "relu"}, ValueError, "activation must be one of 'gelu', 'quick_gelu'"),
        ({"mean": None}, ValueError, "mean and std must be given together"),
        ({"image_size": 18}, ValueError, "image_size must be a multiple of 4, got 18"),
        ({"image_size": (16, 16, 3)}, TypeError, "image_size must be an integer"),
        ({"image_size": 0}, ValueError, "image_size must be at least 1"),
        ({"embed_dim": 64}, TypeError, "'embed_dim' is no setting; of patches, there are"),
        ({"num_tokens": 9}, TypeError, "'num_tokens' is no setting; of patches"),
        ({"num_heads": 5}, ValueError, "num_heads=5 does not divide dim=32"),
        ({"num_heads": None}, ValueError, "a width of 32 does not divide into heads of 64"),
        ({"pool": "max"}, ValueError, "pool must be one of"),
        ({"extractor": 3}, TypeError, "extractor must be an Extractor"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_wrong_arguments_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        small(random_vit(), **options)


# ---- retrofit by the same door -------------------------------------------------------------------


@pytest.mark.parametrize("own", [(MEAN, STD), ((0.5, 0.4, 0.3), (0.1, 0.2, 0.3))])
def test_retrofit_is_exact_where_colour_is_normalised(own):
    state = random_vit(prefix=("cls_token", "reg_token"), positions="registers")
    options = {"embed_dim": WIDTH, "depth": DEPTH, "num_heads": HEADS, "num_classes": CLASSES}
    model = create_model(
        "vit_tiny_16",
        bins=4,
        qkv_bias=True,
        mean=own[0],
        std=own[1],
        registers=3,
        position_grid=(4, 4),
        **options,
    )
    retrofit(model.eval(), state, mean=MEAN, std=STD)
    expected = plain_vit(state, normalised(pictures())).logits
    with torch.no_grad():
        assert relative_difference(model(pictures()), expected) < 1e-5


# ---- real weights --------------------------------------------------------------------------------

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
