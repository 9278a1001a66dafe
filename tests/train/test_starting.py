"""The model that a run begins with."""

import pytest
import torch
from safetensors.torch import save_file

from helpers.models import TINY, randomised
from spitgraph import PatchTokenizer, SuperpixelTokenizer, create_model, save_weights
from spitgraph.models.configurations import list_models
from spitgraph.train import TrainingOptions
from spitgraph.train.runs.options import recipe_options
from spitgraph.train.runs.starting import patch_side, starting_model


def begun(num_classes=5, image_size=(8, 8), **options):
    return starting_model(TrainingOptions("data", "out", **options), num_classes, image_size)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(randomised(create_model("vit_tiny_16", **TINY)), path)
    return str(path)


def test_new_models_are_alike_but_for_their_tokens():
    small = {"num_tokens": 16, "bins": 4, "width": 64, "depth": 2, "heads": 2}
    models = [begun(tokenizer=kind, **small) for kind in ("superpixel", "patch", "voronoi")]
    shapes = [{name: part.shape for name, part in model.named_parameters()} for model in models]
    assert shapes[0] == shapes[1] == shapes[2]
    for model in models:
        assert model.tokenize(torch.rand(3, 8, 8)).num_nodes in range(12, 17)
        assert model.extractor.sigma == pytest.approx(0.2)


def test_defaults_are_those_of_the_named_model():
    model, named = begun(num_classes=1000), create_model("spit_tiny_16")
    assert str(model) == str(named) and "spit_tiny_16" in list_models()


def test_weights_keep_their_own_tokens_or_get_others(weights):
    assert isinstance(begun(weights=weights).tokenizer, PatchTokenizer)
    other = begun(weights=weights, tokenizer="superpixel", num_tokens=6)
    assert isinstance(other.tokenizer, SuperpixelTokenizer) and other.tokenizer.num_tokens == 6


def test_other_counts_leave_the_rest_of_the_tokenizer(tmp_path):
    path = tmp_path / "fine.safetensors"
    save_weights(create_model("spit_tiny_16", **TINY, num_tokens=9, quality="fine"), path)
    tokenizer = begun(weights=str(path), num_tokens=5).tokenizer
    assert (tokenizer.num_tokens, tokenizer.quality) == (5, "fine")


def test_a_head_of_other_classes_is_new_and_of_as_many_stays(weights):
    kept, new = begun(weights=weights), begun(weights=weights, num_classes=3)
    assert kept.head.weight.abs().mean() > 5 * new.head.weight.abs().mean()  # initial: std .02
    assert new.head.out_features == 3
    assert torch.equal(kept.backbone.norm.weight, new.backbone.norm.weight)


def test_files_that_are_not_there_or_exclude_each_other():
    with pytest.raises(FileNotFoundError, match=r"missing\.safetensors"):
        begun(weights="missing.safetensors")
    with pytest.raises(ValueError, match="exclude each other"):
        begun(weights="a", vit="b")


def test_a_recipe_leaves_to_weights_what_they_tell(weights):
    told = recipe_options("small-pictures", {"weights": weights, "epochs": 3})
    assert not {"width", "mean"} & told.keys() and (told["epochs"], told["num_tokens"]) == (3, 64)
    assert recipe_options("small-pictures", {"width": 64})["width"] == 64
    assert recipe_options(None, {"width": 64}) == {"width": 64}


def test_what_is_no_plain_vit(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"nothing": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="no plain ViT"):
        begun(vit=str(path))


@pytest.mark.parametrize(
    ("count", "size", "side"), [(64, (32, 32), 4), (6, (4, 6), 2), (1, (5, 5), 5)]
)
def test_patches_that_make_a_picture(count, size, side):
    assert patch_side(count, size) == side


@pytest.mark.parametrize("count", [0, 3, 65])
def test_patches_that_do_not(count):
    with pytest.raises(ValueError, match="do not make a picture of 8×8: 64, 16, 4, 1 would"):
        patch_side(count, (8, 8))
