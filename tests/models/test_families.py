"""Families: tokenizers of the caller's own make models that are listed, saved and loaded."""

import copy
import pickle

import pytest
import torch
from torch import Tensor

from helpers.pictures import noise
from spitgraph import create_model, list_models, load_weights, model_from_weights, save_weights
from spitgraph.hierarchy import Hierarchy
from spitgraph.models import Family, configuration_of, families, model_table, register_family
from spitgraph.models.configurations import configure
from spitgraph.tokenizers import PatchTokenizer, Tokenizer


class Stripes(Tokenizer):
    """Cut images into so many columns."""

    def __init__(self, columns: int = 3) -> None:
        super().__init__()
        self.columns = columns

    def hierarchy(self, images: list[Tensor]) -> Hierarchy:
        clusters = [
            (torch.arange(image.shape[2]) * self.columns // image.shape[2]).repeat(image.shape[1])
            for image in images
        ]
        return Hierarchy.from_partition(clusters, [self.columns] * len(images))

    def extra_repr(self) -> str:
        return f"columns={self.columns}"


@pytest.fixture
def stripes():
    """A family of its own, until the test is over."""
    before = dict(families.FAMILIES)
    yield register_family(
        Family(
            "stripes", "columns", Stripes, lambda asked: {"sigma": 0.1, "columns": 3}, ("columns",)
        )
    )
    families.FAMILIES.clear()
    families.FAMILIES.update(before)


def test_it_is_made_and_listed(stripes):
    assert "stripes_tiny_16" in list_models()
    [row] = [row for row in model_table() if row.name == "stripes_base_16"]
    assert row.tokens == "columns"
    model = create_model("stripes_tiny_16", depth=1, num_classes=2, bins=2, columns=5).eval()
    assert model.tokenizer.columns == 5 and model.extractor.sigma == 0.1
    assert model.tokenize(noise(4, 10)).num_nodes == 5
    assert model(noise(4, 10)).shape == (1, 2)
    with pytest.raises(TypeError, match="'levels' is not about columns"):
        create_model("stripes_tiny_16", levels=2)


def test_it_is_described_saved_and_loaded(stripes, tmp_path):
    model = create_model("stripes_tiny_16", depth=1, num_classes=2, bins=2, columns=4).eval()
    assert configuration_of(model).columns == 4
    assert configuration_of(model).arguments()["name"] == "stripes_tiny_16"
    save_weights(model, tmp_path / "stripes.safetensors")
    again = model_from_weights(tmp_path / "stripes.safetensors").eval()
    assert isinstance(again.tokenizer, Stripes) and again.tokenizer.columns == 4
    torch.testing.assert_close(again(noise(6, 8)), model(noise(6, 8)))
    load_weights(create_model("stripes_tiny_16", depth=1, num_classes=2, bins=2),
                 tmp_path / "stripes.safetensors")  # fmt: skip


@pytest.mark.parametrize("name", ["spit_tiny_16", "vit_tiny_16"])
@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_configurations_are_copied_pickled_and_hashed(name, again):
    configuration = configure(name)
    assert again(configuration) == configuration
    assert len({configuration, again(configuration)}) == 1


def test_a_configuration_says_which_option_it_lacks():
    with pytest.raises(AttributeError, match="vit_tiny_16 has no 'levels'"):
        _ = configure("vit_tiny_16").levels


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (Family("my_own", "x", Stripes, lambda asked: {"sigma": 1.0}), "without underscores"),
        (Family("vit", "x", Stripes, lambda asked: {"sigma": 1.0}), "'vit' with Stripes clashes"),
        (
            Family("squares", "x", PatchTokenizer, lambda asked: {"sigma": 1.0}),
            "'squares' with PatchTokenizer clashes with family 'vit'",
        ),
        (Family("own", "x", Stripes, lambda asked: {}, ("columns",)), "lack columns, sigma"),
    ],
)
def test_what_would_not_work_is_refused(family, message):
    before = dict(families.FAMILIES)
    with pytest.raises(ValueError, match=message):
        register_family(family)
    assert before == families.FAMILIES
