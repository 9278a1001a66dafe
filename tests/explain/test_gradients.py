"""Gradients of pixels and tokens."""

import pytest
import torch
from torch import nn

from helpers.models import TINY, make_random_model, make_random_tokens, randomised
from helpers.pictures import mixed, noise
from spitgraph import create_model
from spitgraph.explain import input_gradient, integrated_gradients, token_relevance


@pytest.fixture(scope="module", params=["spit_tiny_16", "vit_tiny_16", "rvit_tiny_16"])
def model(request):
    options = {**TINY, "depth": 1, "sigma": 0.3}
    if request.param != "vit_tiny_16":
        options["num_tokens"] = 6
    torch.manual_seed(0)  # of random cells
    return randomised(create_model(request.param, **options)).eval()


@pytest.fixture
def tokens(model):
    torch.manual_seed(0)
    return model.tokenize(mixed(12, 13))


def difference(model, tokens, target, baseline):
    """f(x) − f(x′), x′ of the same partition."""
    start = tokens.clone()
    start.pixels = baseline.expand_as(tokens.pixels).clone()
    with torch.no_grad():
        before, after = (
            model.forward_tokens(model.extractor(one))[0, target] for one in (start, tokens)
        )
    return float(after - before)


def test_integrated_gradients_add_up_to_the_outputs_difference(model, tokens):
    for baseline in (None, (0.1, 0.5, 0.9)):
        colour = tokens.pixels.mean(0) if baseline is None else torch.tensor(baseline)
        found = integrated_gradients(model, tokens, 2, baseline=baseline)
        expected = difference(model, tokens, 2, colour)
        assert abs(float(found.tokens.sum()) - expected) <= 0.01 * abs(expected)
        assert torch.allclose(found.map.sum(), found.tokens.sum(), rtol=1e-4, atol=1e-6)


def test_too_few_points_are_told_of(model, tokens, recwarn):
    integrated_gradients(model, tokens, 2)
    assert not recwarn.list
    black = (0.0, 0.0, 0.0)
    found = integrated_gradients(model, tokens, 2, baseline=black, n_steps=2)
    missed = abs(float(found.tokens.sum()) - difference(model, tokens, 2, torch.tensor(black)))
    assert recwarn.list or missed <= 0.01 * abs(float(found.tokens.sum()))
    assert all("raise n_steps=2" in str(warning.message) for warning in recwarn)


def test_a_baseline_may_be_an_image(model, tokens):
    grey = integrated_gradients(model, tokens, 0, baseline=(0.5, 0.5, 0.5), n_steps=4)
    image = integrated_gradients(model, tokens, 0, baseline=torch.full((3, 12, 13), 0.5), n_steps=4)
    assert torch.equal(grey.tokens, image.tokens)
    for baseline, message in (
        (torch.zeros(3, 5, 5), r"expected a baseline of the image's size \[12, 13\]"),
        ((0.1, 2.0, 0.3), "expected a baseline colour in"),
    ):
        with pytest.raises(ValueError, match=message):
            integrated_gradients(model, tokens, 0, baseline=baseline)


def test_gradients_times_input_are_those_of_autograd(model, tokens):
    again = tokens.clone()
    again.pixels = tokens.pixels.clone().requires_grad_()
    logits = model.forward_tokens(model.extractor(again))
    (gradient,) = torch.autograd.grad(logits[0, 3], again.pixels)
    expected = (gradient * tokens.pixels).sum(-1)
    found = input_gradient(model, tokens, 3)
    assert torch.allclose(found.map.flatten(), expected, atol=1e-6 + 1e-4 * expected.abs().max())
    for token in range(len(tokens.size)):
        of_token = found.map[tokens.seg[0] == token].sum()
        assert torch.allclose(found.tokens[token], of_token, atol=1e-5)


def test_tokens_hold_no_graph_and_parameters_get_no_gradient(model, tokens):
    found = input_gradient(model, tokens, 3)
    assert not found.tokens.requires_grad and not found.token_data.pixels.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_gradients_are_taken_where_they_are_switched_off(model, tokens):
    expected = input_gradient(model, tokens, 1).tokens
    with torch.no_grad():
        assert torch.equal(input_gradient(model, tokens, 1).tokens, expected)
    with torch.inference_mode():
        assert torch.equal(input_gradient(model, tokens.clone(), 1).tokens, expected)
    frozen = [parameter.requires_grad_(False) for parameter in model.parameters()]
    try:
        assert torch.allclose(input_gradient(model, tokens, 1).tokens, expected, atol=1e-6)
        token_relevance(model, tokens, 1)
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)


def test_flat_pictures_have_finite_scores(model):
    for value in (0.0, 0.5, 1.0):
        flat = torch.full((3, 8, 8), value)
        assert torch.isfinite(input_gradient(model, flat, 0).map).all()
        scores = integrated_gradients(model, flat, 0)  # it is its own mean colour
        assert torch.equal(scores.map, torch.zeros(8, 8))


def test_tokens_without_pixels_are_refused(model, tokens):
    for method in (input_gradient, integrated_gradients):
        with pytest.raises(ValueError, match="need the pixels"):
            method(model, tokens.without_pixels(), 0)


class Constant(nn.Module):
    """A φ that looks at no pixels."""

    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, tokens):
        tokens = tokens.clone()
        tokens.x = torch.ones(tokens.num_nodes, self.width)
        return tokens


def test_extractors_without_gradients_are_refused(model):
    extractor = model.extractor
    model.extractor = Constant(extractor.out_channels)
    try:
        with pytest.raises(ValueError, match="passes no gradient on to the pixels"):
            input_gradient(model, noise(8, 8), 0)
    finally:
        model.extractor = extractor


# ---- token relevance -----------------------------------------------------------------------------


@pytest.mark.parametrize("block", [0, 1, -1])
def test_relevance_is_the_change_as_normed_tokens_grow(block):
    model, tokens = make_random_model(), make_random_tokens((5,))[0]
    found = token_relevance(model, tokens, 2, block=block).tokens
    with torch.no_grad():
        for token in range(5):
            changed = []
            for factor in (0.99, 1.01):

                def scale(module, inputs, output, factor=factor, token=token):
                    row = torch.ones(output.shape[1])
                    row[1 + token] = factor
                    return output * row[:, None]

                hook = model.backbone.blocks[block].norm1.register_forward_hook(scale)
                changed.append(model.forward_tokens(tokens)[0, 2])
                hook.remove()
            slope = (changed[1] - changed[0]) / 0.02
            assert torch.allclose(found[token], slope, rtol=0.05, atol=5e-3)
    assert found.abs().max() > 0.01


def test_there_has_to_be_such_a_block():
    model, tokens = make_random_model(), make_random_tokens((5,))[0]
    with pytest.raises(ValueError, match=r"block must be in -2 … 1, got 2"):
        token_relevance(model, tokens, block=2)
