"""Named configurations: what each name means, what may be told otherwise, and what is refused."""

import pytest
import torch

from helpers.models import TINY
from helpers.pictures import noise
from spitgraph.models import configuration_of, create_model, list_models
from spitgraph.models.configurations import SIZES, configure
from spitgraph.models.infer import ratio
from spitgraph.tokenizers import (
    PatchTokenizer,
    SuperpixelTokenizer,
    VoronoiTokenizer,
    from_partition,
)


def test_there_are_three_tokenizers_in_four_sizes():
    names = list_models()
    assert len(names) == len(set(names)) == 12
    assert {name.split("_")[0] for name in names} == {"spit", "vit", "rvit"}
    assert {name.split("_")[1] for name in names} == {"tiny", "small", "base", "large"}
    assert all(name.endswith("_16") for name in names)


@pytest.mark.parametrize("name", list_models())
def test_every_name_makes_a_model_of_its_tokenizer(name):
    model = create_model(name, **TINY).eval()
    kind = {"spit": SuperpixelTokenizer, "vit": PatchTokenizer, "rvit": VoronoiTokenizer}
    assert type(model.tokenizer) is kind[name.split("_")[0]]
    with torch.no_grad():
        logits = model([noise(32, 32), noise(24, 24, 1)])
    assert logits.shape == (2, 5)
    assert logits.isfinite().all()


@pytest.mark.parametrize("size", SIZES)
def test_sizes_are_those_of_the_paper(size):
    configuration = configure(f"spit_{size}_16")
    sizes = {
        "tiny": (192, 12, 3),
        "small": (384, 12, 6),
        "base": (768, 12, 12),
        "large": (1024, 24, 16),
    }
    wanted = sizes[size]
    assert (configuration.embed_dim, configuration.depth, configuration.num_heads) == wanted


def test_the_released_variants_have_their_settings():
    """METHOD 5: σ .05 for base superpixels with gradients, λ = 0.1 without gradients."""
    assert configure("spit_base_16").sigma == 0.05
    assert configure("spit_base_16", gradient=False).sigma == 0.025
    assert configure("spit_small_16").sigma == 0.025
    assert configure("vit_base_16").sigma == configure("rvit_base_16").sigma == 0.025
    assert configure("spit_base_16").compactness == 0
    assert configure("spit_base_16", gradient=False).compactness == 0.1
    assert configure("vit_base_16").mode == "nearest"
    assert {configure(name).init_values for name in list_models()} == {1e-5}
    assert not any(configure(name).size_bias for name in list_models())
    assert configure("spit_base_16").mode == configure("rvit_base_16").mode == "bilinear"


def test_superpixels_are_the_librarys_own_unless_the_authors_are_asked_for():
    made = create_model("spit_tiny_16", **TINY).tokenizer
    assert repr(made) == repr(SuperpixelTokenizer())
    authors = create_model("spit_tiny_16", features="spit", **TINY).tokenizer
    assert (authors.features, authors.similarity) == ("spit", "cosine")
    other = create_model("spit_tiny_16", features="spit", similarity="ward", **TINY).tokenizer
    assert other.similarity == "ward"


def test_options_reach_their_parts():
    model = create_model(
        "spit_tiny_16",
        gradient=False,
        graph_bias=True,
        token_budget=7,
        drop_path=0.2,
        image_size=48,
        mlp_ratio=2,
        qkv_bias=True,
        qk_norm=True,
        init_values=0.25,
        sigma=0.1,
        num_tokens=9,
        compactness=0.3,
        **TINY | {"depth": 3},
    )
    assert model.image_size == 48
    assert model.tokenizer.num_tokens == 9
    assert model.tokenizer.compactness == 0.3
    assert (model.extractor.bins, model.extractor.sigma) == (4, 0.1)
    assert model.embedder.linear.weight.shape == (32, 4 * 16)
    assert model.embedder.token_budget == 7
    assert model.backbone.graph_bias is not None
    assert len(model.backbone.blocks) == 3
    rates = [block.drop_path1.drop_prob for block in model.backbone.blocks]
    assert rates == pytest.approx([0, 0.1, 0.2])
    block = model.backbone.blocks[0]
    assert block.mlp.fc1.weight.shape == (64, 32)
    assert block.attn.qkv.bias is not None
    assert block.attn.q_norm.weight.shape == (16,)
    assert (block.ls1.gamma == 0.25).all() and (block.ls2.gamma == 0.25).all()
    assert model.head.weight.shape == (5, 32)
    assert model.tokenize(noise(32, 32)).num_nodes == 9


def test_patches_are_as_large_as_there_are_bins():
    model = create_model("vit_tiny_16", **TINY)
    assert model.tokenizer.patch_size == 4
    assert create_model("vit_tiny_16", depth=1).tokenizer.patch_size == 16


@pytest.mark.parametrize("patch_size", [3, 4, 8])
def test_patches_may_be_of_another_side(patch_size):
    """All of a patch is read then, stretched to the bins, as of any region."""
    model = create_model("vit_tiny_16", patch_size=patch_size, **TINY)
    assert (model.tokenizer.patch_size, model.extractor.bins) == (patch_size, 4)
    assert model.extractor.mode == ("nearest" if patch_size == 4 else "bilinear")
    image = noise(24, 24)
    regions = from_partition(image, model.tokenizer(image).seg[0])
    alike = create_model("spit_tiny_16", **TINY).extractor
    vectors = model.tokenize(image).x
    assert vectors.shape == ((24 // patch_size) ** 2, 5 * 16)
    torch.testing.assert_close(vectors, alike(regions).x)


def test_sigma_follows_the_bins_where_only_these_are_told():
    """0.05 and .025 of 16 bins are the variants', and stay; else two fifths of a spacing."""
    for name in list_models():
        assert configure(name, bins=16) == configure(name)
        assert configure(name, bins=8).sigma == 0.1
        assert configure(name, bins=8, sigma=0.025).sigma == 0.025
        assert configure(name, bins=8, extractor="windows").sigma == 0.025
    assert create_model("spit_tiny_16", depth=1, bins=32).extractor.sigma == 0.025


def test_there_are_as_many_voronoi_cells_as_patches_of_16_pixels():
    assert configure("rvit_tiny_16").num_tokens == 196
    assert configure("rvit_tiny_16", image_size=384).num_tokens == 576
    assert configure("rvit_tiny_16", image_size=8).num_tokens == 1
    assert configure("rvit_tiny_16", image_size=384, num_tokens=5).num_tokens == 5


def test_a_told_width_gets_heads_of_64():
    assert configure("spit_base_16", embed_dim=128).num_heads == 2
    assert configure("spit_base_16", embed_dim=128, num_heads=4).num_heads == 4


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "spit_tiny_16", "graph_bias": True, "gradient": False, "qk_norm": True},
        {"name": "spit_tiny_16", "features": "spit", "compactness": 0.25, "levels": 3},
        {"name": "spit_tiny_16", "num_tokens": 12, "token_budget": 8, "drop_path": 0.1},
        {"name": "vit_tiny_16", "qkv_bias": True, "mlp_ratio": 100 / 32, "sigma": 0.07},
        {"name": "rvit_tiny_16", "image_size": 96},
        {"name": "vit_tiny_16", "norm_pre": True, "norm_eps": 1e-5, "activation": "quick_gelu"},
        {"name": "vit_tiny_16", "mean": [0.5] * 3, "std": (0.2, 0.3, 1), "position_grid": [2, 3]},
        {"name": "spit_tiny_16", "registers": 3, "head": "projection", "pool": "attention"},
        {"name": "spit_tiny_16", "class_token": False, "pool": "mean", "head": "none"},
        {"name": "rvit_tiny_16", "pool": "mean_norm", "registers": 1},
        {"name": "rvit_tiny_16", "init_values": 0, "size_bias": True},
        {"name": "vit_tiny_16", "patch_size": 7},
    ],
    ids=str,
)
def test_the_configuration_is_read_off_the_model(arguments):
    made = configure(**TINY | arguments)
    read = configuration_of(create_model(**TINY | arguments))
    assert vars(read) | {"name": ""} == vars(made) | {"name": ""}
    assert read.family == made.family


def test_any_hidden_width_has_a_ratio():
    for width in (3, 7, 49, 96):
        for hidden in range(1, 4 * width):
            assert int(width * ratio(hidden, width)) == hidden


def test_the_configuration_knows_of_exchanged_parts():
    model = create_model("spit_tiny_16", **TINY)
    model.head = torch.nn.Linear(32, 11)
    model.extractor.sigma = 0.125
    configuration = configuration_of(model)
    assert (configuration.num_classes, configuration.sigma) == (11, 0.125)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: setattr(model, "head", torch.nn.Sequential(model.head)),
        lambda model: setattr(model, "tokenizer", torch.nn.Identity()),
        lambda model: setattr(model, "extractor", torch.nn.Identity()),
        lambda model: setattr(model.extractor, "mode", "nearest"),
        lambda model: setattr(model.backbone.blocks[1].mlp, "fc3", torch.nn.Linear(2, 2)),
        lambda model: setattr(model.backbone.blocks[1].mlp, "fc1", torch.nn.Linear(32, 99)),
    ],
)
def test_models_of_other_parts_have_no_configuration(change):
    model = create_model("spit_tiny_16", **TINY)
    change(model)
    with pytest.raises(ValueError, match="create_model makes no"):
        configuration_of(model)


def test_unknown_names_are_refused_with_those_there_are():
    with pytest.raises(ValueError, match="'spit_huge_16'.*spit_tiny_16, .*rvit_large_16"):
        create_model("spit_huge_16")


def test_unknown_overrides_are_refused_with_those_there_are():
    with pytest.raises(TypeError, match="'num_head' is no override.*num_heads.*compactness"):
        create_model("spit_tiny_16", num_head=3)


@pytest.mark.parametrize(
    ("name", "override"),
    [
        ("vit_tiny_16", {"levels": 4}),
        ("vit_tiny_16", {"num_tokens": 4}),
        ("spit_tiny_16", {"patch_size": 4}),
        ("rvit_tiny_16", {"features": "lab"}),
    ],
)
def test_overrides_of_other_tokenizers_are_refused(name, override):
    with pytest.raises(TypeError, match=f"{next(iter(override))}' is not about"):
        create_model(name, **override)


@pytest.mark.parametrize(
    ("override", "error"),
    [
        ({"num_classes": 0}, ValueError),
        ({"embed_dim": 0}, ValueError),
        ({"embed_dim": "32"}, TypeError),
        ({"depth": 0}, ValueError),
        ({"depth": 1.5}, TypeError),
        ({"num_heads": 5}, ValueError),
        ({"bins": 1}, ValueError),
        ({"sigma": 0.0}, ValueError),
        ({"sigma": -1.0}, ValueError),
        ({"mlp_ratio": 0}, ValueError),
        ({"mlp_ratio": "4"}, TypeError),
        ({"drop_path": 1.5}, ValueError),
        ({"drop_path": -0.1}, ValueError),
        ({"token_budget": 0}, ValueError),
        ({"image_size": 0}, ValueError),
        ({"levels": 0}, ValueError),
        ({"compactness": 2.0}, ValueError),
        ({"features": "hsv"}, ValueError),
        ({"similarity": "l1"}, ValueError),
        ({"gradient": 1}, TypeError),
        ({"qkv_bias": None}, TypeError),
        ({"mean": (0.5, 0.5, 0.5)}, ValueError),
        ({"std": (0.2, 0.0, 0.2), "mean": (0.5, 0.5, 0.5)}, ValueError),
        ({"position_grid": 14}, ValueError),
        ({"position_grid": (14, 0)}, ValueError),
        ({"class_token": False}, ValueError),
        ({"class_token": 1, "pool": "mean"}, TypeError),
        ({"registers": -1}, ValueError),
        ({"norm_pre": None}, TypeError),
        ({"norm_eps": 0}, ValueError),
        ({"activation": "relu"}, ValueError),
        ({"pool": "max"}, ValueError),
        ({"head": None}, ValueError),
        ({"init_values": float("inf")}, ValueError),
        ({"init_values": "1"}, TypeError),
        ({"size_bias": 1}, TypeError),
    ],
    ids=str,
)
@pytest.mark.usefixtures("unchecked")
def test_values_outside_their_range_are_refused_by_name(override, error):
    with pytest.raises(error, match=next(iter(override))):
        create_model("spit_tiny_16", **TINY | override)
