"""No infinity and no NaN on the way from pixels to a loss and back, where the result is finite."""

import pytest
import torch

from helpers.finite import NotFinite
from helpers.models import TINY
from spitgraph import InterpolationExtractor, PatchTokenizer, SuperpixelTokenizer
from spitgraph.models import create_model
from spitgraph.pixels import adjust_contrast

OPTIONS = [
    {},
    {"features": "spit"},
    {"similarity": "cosine", "gradient": False},
    {"num_tokens": 1, "compactness": 0.4, "similarity": "ward"},
    {"graph_bias": True, "qk_norm": True, "token_budget": 3, "drop_path": 0.3},
    {"size_bias": True},
]


@pytest.fixture
def images(awkward_images):
    """Black, white, flat, one pixel and others, of which derivatives are wanted."""
    return [image.requires_grad_() for image in awkward_images]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("attention", ["packed", "padded"])
def test_nothing_is_infinite_on_the_way(implementation, images, options, attention):
    """Two kinds of infinities are meant: those that contraction compares with, where a region has
    no self-loop or waits; and the −∞ of keys that are padding, which softmax makes 0."""
    model = create_model("spit_tiny_16", **TINY | options).train()
    model.backbone.attention = attention
    with NotFinite() as contraction:
        tokens = model.tokenizer(images)
    assert "NaN" not in contraction.kinds
    with NotFinite() as vectors:
        tokens = model.extractor(tokens)
    with NotFinite() as forward:
        loss = model.forward_tokens(tokens).square().sum()
    with NotFinite() as backward:
        loss.backward()
    assert not vectors.kinds | backward.kinds
    assert forward.kinds <= ({"-inf"} if attention == "padded" else set())
    assert all(image.grad.isfinite().all() for image in images)


@pytest.mark.parametrize("name", ["spit_tiny_16", "vit_tiny_16"])
def test_anomaly_detection_finds_nothing(images, name):
    model = create_model(name, **TINY).train()
    with torch.autograd.set_detect_anomaly(True):
        model(images).square().sum().backward()
    assert all(image.grad.isfinite().all() for image in images)


@pytest.mark.parametrize("sigma", [1e-30, 1e-12, 0.05, 1e12, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_width_of_the_gaussians_is_too_small_or_large(implementation, sigma, dtype):
    tokens = PatchTokenizer(3)(torch.rand(3, 7, 8))
    tokens.pixels = tokens.pixels.to(dtype).requires_grad_()
    with NotFinite() as seen:
        x = InterpolationExtractor(4, sigma=sigma)(tokens).x
        x.sum().backward()
    assert not seen.kinds
    assert x.isfinite().all()
    with torch.no_grad():
        assert InterpolationExtractor(4, sigma=sigma)(tokens).x.isfinite().all()


def test_second_derivatives_are_finite():
    tokens = SuperpixelTokenizer(2)(torch.zeros(3, 6, 6))
    tokens.pixels.requires_grad_()
    x = InterpolationExtractor(3)(tokens).x
    (first,) = torch.autograd.grad(x.square().sum(), tokens.pixels, create_graph=True)
    first.square().sum().backward()
    assert tokens.pixels.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_contrast_is_as_good_as_its_numbers(dtype):
    """Black has no logarithm, and the least number of 16 bits is not near enough to it."""
    x = torch.linspace(0, 1, 33, dtype=dtype).expand(3, -1)
    with NotFinite() as seen:
        contrast = adjust_contrast(x)
    assert not seen.kinds
    assert contrast.dtype == dtype
    assert (contrast[:, 0] == -1).all() and (contrast[:, -1] == 1).all()
    exact = adjust_contrast(x.double())
    assert (contrast.double() - exact).abs().max() <= 2 * torch.finfo(dtype).eps
