"""LIME and KernelSHAP against models whose answers are known."""

from itertools import permutations

import pytest
import torch
from torch import nn

from helpers.models import (
    FEATURES,
    TINY,
    UNEVEN,
    WIDTH,
    make_random_model,
    make_random_tokens,
    randomised,
)
from helpers.pictures import mixed, seeded
from spitgraph import create_model
from spitgraph.explain import kernel_shap, lime
from spitgraph.nn import TokenEmbedder

METHODS = (lime, kernel_shap)


class Sum(nn.Module):
    """A backbone whose class token is the sum of the tokens that are there."""

    graph_bias = None

    def forward(self, sequences, edge_index=None):
        is_token = torch.zeros(len(sequences.x), 1).index_fill(0, sequences.node_rows, 1.0)
        sums = torch.zeros(sequences.num_images, sequences.x.shape[1])
        sums = sums.index_add(0, sequences.image, sequences.x * is_token)
        return sequences.with_rows(sums.index_select(0, sequences.image))


@pytest.fixture
def linear(unchecked):
    """A model whose logits are sums over tokens, its tokens, and what each adds to class 2."""
    model, tokens = make_random_model(), make_random_tokens((8,))[0]
    model.backbone = Sum()
    with torch.no_grad():
        added = model.head.weight[2] @ model.embedder.linear(tokens.x).T
    return model, tokens, added


def test_lime_recovers_the_weights_of_a_linear_model(linear):
    model, tokens, added = linear
    found = lime(model, tokens, 2, output="logit", n_samples=200, alpha=1e-8)
    assert torch.allclose(found.tokens, added, atol=1e-4)
    pulled = lime(model, tokens, 2, output="logit", n_samples=200, alpha=100.0)
    assert pulled.tokens.norm() < added.norm()


@pytest.mark.parametrize("n_samples", [100, 512])  # drawn; all 254 subsets
def test_shapley_values_of_a_linear_model_are_its_weights(linear, n_samples):
    model, tokens, added = linear
    found = kernel_shap(model, tokens, 2, output="logit", n_samples=n_samples)
    assert torch.allclose(found.tokens, added, atol=1e-4)


def test_kernel_shap_of_four_tokens_equals_their_shapley_values():
    model, tokens = make_random_model(), make_random_tokens((4,))[0]

    def value(subset):
        keep = torch.zeros(4, dtype=torch.bool)
        keep[list(subset)] = True
        with torch.no_grad():
            return float(model.forward_tokens(tokens, keep=keep)[0].softmax(0)[1])

    expected = torch.zeros(4)
    orders = list(permutations(range(4)))
    for order in orders:
        for place, token in enumerate(order):
            expected[token] += value(order[: place + 1]) - value(order[:place])
    found = kernel_shap(model, tokens, 1)
    assert torch.allclose(found.tokens, expected / len(orders), atol=1e-5)


def test_values_add_up_whatever_is_drawn():
    model, tokens = make_random_model(), make_random_tokens((12,))[0]
    keep = torch.zeros(12, dtype=torch.bool)
    with torch.no_grad():
        whole = model.forward_tokens(tokens).softmax(-1)[0, 1]
        nothing = model.forward_tokens(tokens, keep=keep).softmax(-1)[0, 1]
    for samples in (2, 5, 64):
        found = kernel_shap(model, tokens, 1, n_samples=samples)
        assert torch.allclose(found.tokens.sum(), whole - nothing, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_draws_are_the_generators(method):
    model, tokens = make_random_model(), make_random_tokens((12,))[0]

    def scores(seed=None):
        generator = None if seed is None else seeded(seed)
        return method(model, tokens, 1, n_samples=30, generator=generator).tokens

    state = torch.get_rng_state()
    assert torch.equal(scores(), scores())
    assert torch.equal(scores(3), scores(3))
    assert not torch.equal(scores(3), scores(4))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("method", METHODS)
def test_an_images_scores_do_not_depend_on_its_batch(method):
    model, batch = make_random_model(graph_bias=True), make_random_tokens(UNEVEN)
    together = method(model, batch, 1, n_samples=30, generator=seeded(5))
    for one, tokens in zip(together, batch.to_data_list(), strict=True):
        alone = method(model, tokens, 1, n_samples=30, generator=seeded(5))
        assert torch.equal(one.tokens, alone.tokens)


@pytest.mark.parametrize("method", METHODS)
def test_one_token_and_tokens_that_are_alike(method):
    model = make_random_model()
    one = method(model, make_random_tokens((1,))[0], 1, n_samples=20)
    assert torch.isfinite(one.tokens).all() and one.tokens.shape == (1,)
    tokens = make_random_tokens((4,))[0]
    tokens.x = tokens.x[:1].expand(4, -1).contiguous()
    scores = method(model, tokens, 1, n_samples=512).tokens
    assert torch.allclose(scores, scores[:1].expand(4), atol=5e-2)
    if method is kernel_shap:  # of all subsets
        assert torch.allclose(scores, scores[:1].expand(4), atol=1e-5)


# ---- areas of the picture ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    return randomised(create_model("vit_tiny_16", **{**TINY, "depth": 1})).eval()


@pytest.mark.parametrize("method", METHODS)
def test_areas_score_their_pixels(model, method):
    image, labels = mixed(12, 13), torch.zeros(12, 13, dtype=torch.int64)
    labels[:, 6:], labels[8:, :6] = 7, 3
    found = method(model, image, 2, regions=labels, n_samples=12)
    for label in (0, 3, 7):
        assert len(found.map[labels == label].unique()) == 1
    sums = torch.zeros(len(found.tokens)).index_add(
        0, found.token_data.cluster, found.map.flatten()
    )
    assert torch.allclose(found.tokens, sums / found.token_data.size, atol=1e-6)
    assert found.map.unique().numel() == 3


def test_areas_are_filled_with_the_mean_colour(model):
    image, labels = mixed(12, 13), torch.zeros(12, 13, dtype=torch.int64)
    labels[:, 6:] = 1
    mean = image.mean(dim=(1, 2), keepdim=True).expand_as(image)
    value = {}
    for there in ((True, True), (True, False), (False, True), (False, False)):
        with torch.no_grad():
            logits = model(torch.where(torch.tensor(there)[labels], image, mean))
        value[there] = float(logits[0].softmax(0)[2])
    first = (value[True, False] - value[False, False] + value[True, True] - value[False, True]) / 2
    found = kernel_shap(model, image, 2, regions=labels)
    assert float(found.map[0, 0]) == pytest.approx(first, abs=1e-5)


def test_slic_regions_are_the_pictures_own(model):
    found = lime(model, mixed(), 2, regions="slic", n_samples=8)
    assert 2 < found.map.unique().numel() <= 80


@pytest.mark.parametrize("regions", ["squares", None, torch.zeros(3, 3, dtype=torch.int64)])
def test_other_regions_are_refused(model, regions):
    with pytest.raises(ValueError, match=r"regions must be 'tokens', 'slic' or labels \[12, 13\]"):
        lime(model, mixed(12, 13), regions=regions)


def test_a_progress_bar_is_shown_when_it_takes_long(model, monkeypatch, capsys):
    from spitgraph.explain import regions

    image = mixed(12, 13)
    lime(model, image, n_samples=4)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(regions, "PATIENCE", 0)
    lime(model, image, n_samples=40)
    assert "40/40" in capsys.readouterr().err
    lime(model, image, n_samples=40, progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pool", ["mean", "attention"])
def test_models_without_class_token_may_lose_all_tokens(method, pool):
    model = make_random_model(pool=pool)
    model.embedder = TokenEmbedder(FEATURES, WIDTH, class_token=False)
    found = method(model, make_random_tokens((3,))[0], 1)
    assert torch.isfinite(found.tokens).all()
