"""What is told of a pretrained ViT, and which extractor reads for it."""

import pytest
import torch

from helpers.own_features import assert_own_features, pictures, small
from helpers.vits import (
    CLASSES,
    DEPTH,
    HEADS,
    MEAN,
    STD,
    WIDTH,
    normalised,
    plain_vit,
    random_vit,
    relative_difference,
)
from spitgraph import (
    InterpolationExtractor,
    PatchTokenizer,
    WindowExtractor,
    create_model,
    from_vit,
    retrofit,
)
from spitgraph.batching import with_node_attribute
from spitgraph.extractors import Extractor


def test_without_mean_and_std_it_reads_pictures_as_they_are():
    state = random_vit()
    model = from_vit(state, num_heads=HEADS)
    expected = plain_vit(state, pictures()).logits
    with torch.no_grad():
        assert relative_difference(model(pictures()), expected) < 1e-5


def test_settings_reach_their_parts():
    model = small(random_vit(), token_budget=5, drop_path=0.2, graph_bias=True, norm_eps=1e-3)
    assert not model.backbone.size_bias and small(random_vit(), size_bias=True).backbone.size_bias
    assert model.embedder.token_budget == 5
    assert model.backbone.blocks[-1].drop_path1.drop_prob == 0.2
    assert not model.backbone.graph_bias.table.any()
    assert model.backbone.norm.eps == 1e-3
    assert not model.training


def test_pooling_may_be_told():
    state = random_vit()
    model = small(state, pool="mean")
    assert_own_features(model, state, pictures(), pool="mean")


def test_patches_of_another_side_are_read_through_windows_of_the_vits_own():
    state = random_vit()
    model = small(state, patch_size=8)
    assert model.tokenizer.patch_size == 8 and model.extractor.side == 4
    image = pictures()[0]
    told = model.tokenize(image)
    assert told.x.shape == (4, 3 * 4**2)
    assert torch.equal(told.x, small(state).extractor(PatchTokenizer(8)(image)).x)
    assert model(image).isfinite().all()


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
    model = small(state, extractor=WindowExtractor(8, mean=MEAN, std=STD), tokenizer="superpixel")
    assert model.embedder.linear.weight.shape == (WIDTH, 3 * 8**2)
    with pytest.raises(ValueError, match="mean and std must be those of the extractor"):
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
        ({"extractor": "pixels"}, ValueError, "extractor must be one of 'interpolation'"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_wrong_arguments_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        small(random_vit(), **options)


# ---- retrofit by the same door -------------------------------------------------------------------


@pytest.mark.parametrize("extractor", ["interpolation", "windows"])
@pytest.mark.parametrize(
    "own",
    [
        {"mean": MEAN, "std": STD},
        {"mean": (0.5, 0.4, 0.3), "std": (0.1, 0.2, 0.3)},
    ],
)
def test_retrofit_is_exact_where_colour_is_normalised(own, extractor):
    state = random_vit(prefix=("cls_token", "reg_token"), positions="registers")
    options = {"embed_dim": WIDTH, "depth": DEPTH, "num_heads": HEADS, "num_classes": CLASSES}
    model = create_model(
        "vit_tiny_16",
        bins=4,
        qkv_bias=True,
        **own,
        extractor=extractor,
        gradient=False,
        registers=3,
        position_grid=(4, 4),
        **options,
    )
    retrofit(model.eval(), state, mean=MEAN, std=STD)
    expected = plain_vit(state, normalised(pictures())).logits
    with torch.no_grad():
        assert relative_difference(model(pictures()), expected) < 1e-5
