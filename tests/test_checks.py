"""Whole numbers may be of Python, NumPy or PyTorch, wherever one is asked for."""

import numpy as np
import pytest
import torch

from helpers.pictures import noise
from spitgraph import (
    InterpolationExtractor,
    PatchTokenizer,
    SuperpixelTokenizer,
    VoronoiTokenizer,
    create_model,
    inspection,
    load_weights,
    memory,
    metrics,
    save_weights,
)
from spitgraph.checks import as_integer, integer, integers
from spitgraph.contraction import Settings
from spitgraph.nn import Backbone, TokenEmbedder

KINDS = {
    "NumPy": np.int64,
    "NumPy, no dimension": np.array,
    "bytes": np.uint8,
    "PyTorch": torch.tensor,
    "PyTorch, 32 bits": lambda value: torch.tensor(value, dtype=torch.int32),
}
NOT_WHOLE = [1.0, np.float64(1), torch.tensor(1.0), "1", None, torch.tensor([1]), np.ones(1, int)]
TRUTHS = [True, np.bool_(True), torch.tensor(True), np.array(True)]


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request, unchecked):
    return request.param


@pytest.fixture(scope="module")
def tokens():
    return InterpolationExtractor(bins=2)(SuperpixelTokenizer(levels=2)(noise(8, 9)))


def test_numbers_of_all_libraries_are_whole_numbers(kind):
    assert type(integer(kind(3), "it")) is int and integer(kind(3), "it") == 3
    assert integers(kind(3), "it") == [3]
    with pytest.raises(ValueError, match="it must be at least 4, got 3"):
        integer(kind(3), "it", minimum=4)


@pytest.mark.parametrize("value", [*NOT_WHOLE, *TRUTHS], ids=repr)
def test_others_are_not(value):
    assert as_integer(value) is None
    with pytest.raises(TypeError, match="it must be an integer, got "):
        integer(value, "it")


def test_several_of_them():
    for several in ([1, 2], (1, 2), torch.tensor([1, 2]), np.array([1, 2]), iter([1, 2])):
        assert integers(several, "it") == [1, 2]
    with pytest.raises(TypeError, match="it must be an integer, got tensor"):
        integers(torch.tensor([True, False]), "it")


def test_levels(tokens, kind):
    tree, level = tokens.tree, kind(1)
    assert torch.equal(tokens.partition(level), tokens.partition(1))
    assert tokens.to_level(level).num_nodes == tree.num_regions(level)[0]
    assert torch.equal(tree.at(level).cluster, tree.partition(level))
    assert torch.equal(
        tree.lift(tree.pool(tokens.pixels, level), level).mean(), tokens.pixels.mean()
    )
    assert len(tree.sizes(level)) == tree.num_regions(1)[0]


@pytest.mark.parametrize("level", [1.0, True, "1"])
def test_levels_are_whole(tokens, level, unchecked):
    for ask in (tokens.partition, tokens.to_level, tokens.tree.at, tokens.tree.num_regions):
        with pytest.raises(TypeError, match="level must be an integer"):
            ask(level)


def test_options(kind, assert_same):
    image = noise(8, 9)
    for make, value in ((SuperpixelTokenizer, 2), (PatchTokenizer, 3)):
        assert_same(make(kind(value))(image), make(value)(image))
    assert VoronoiTokenizer(kind(5)).num_tokens == 5
    assert Settings(num_tokens=kind(5)).to_json() == Settings(num_tokens=5).to_json()
    assert InterpolationExtractor(kind(4)).out_channels == 80
    with memory.kept_at_hand(kind(10)):
        pass
    assert metrics.boundary_recall(torch.eye(3).long(), torch.eye(3).long(), kind(1)) == 1


def test_inspection(tokens, kind):
    assert inspection.overlay(tokens, scale=kind(2)).shape == (3, 16, 18)
    assert len(inspection.plot_hierarchy(tokens, [kind(1), kind(0)]).axes) == 2
    assert len(inspection.plot_hierarchy(tokens, kind(1)).axes) == 1
    assert len(inspection.plot_token(tokens, kind(1)).axes) == 4
    assert len(inspection.plot_token(tokens, [kind(1), kind(0)]).axes) == 8


def test_tokens_to_plot_may_be_what_a_search_found(tokens):
    assert len(inspection.plot_token(tokens, tokens.size.argmax()).axes) == 4
    assert len(inspection.plot_token(tokens, tokens.size.argsort()[:2]).axes) == 8
    largest = inspection.token_table(tokens).nlargest(2, "size").index
    assert len(inspection.plot_token(tokens, largest).axes) == 8


def test_models_and_their_files(kind, tmp_path):
    numbers = {"num_classes": 3, "embed_dim": 64, "depth": 1, "bins": 2, "levels": 2}
    model = create_model("spit_tiny_16", **{name: kind(value) for name, value in numbers.items()})
    save_weights(model, tmp_path / "weights.safetensors")
    load_weights(create_model("spit_tiny_16", **numbers), tmp_path / "weights.safetensors")
    assert model.backbone.num_heads == 1  # of 64, as for Python's numbers


def test_parts_of_models(kind):
    Backbone(kind(16), kind(1), kind(2), graph_bias=True)
    embedder = TokenEmbedder(kind(4), kind(16), token_budget=kind(3), pe_name="pe", pe_dim=kind(2))
    assert embedder.token_budget == 3
