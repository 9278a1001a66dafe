"""What a model computes does not depend on the device, up to rounding."""

import copy
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from spitgraph import SuperpixelTokenizer, kernels
from spitgraph.extractors import InterpolationExtractor
from spitgraph.nn import Attention, Backbone, SPiT, TokenEmbedder

TOLERANCE = 1e-4


@pytest.fixture(autouse=True)
def single_precision():
    """A GPU multiplies float32 as such, not in the shorter TF32."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32 = before


def kernels_of(device):
    """With a GPU's kernels; of the CPU, plain operations are what is compared with."""
    return kernels.plain() if device.type == "cpu" else nullcontext()


def moved(module, device):
    """A copy on the device."""
    return copy.deepcopy(module).to(device)


@pytest.mark.parametrize("qk_norm", [False, True])
def test_attention(device, assert_close, qk_norm):
    attention = Attention(16, 4, qk_norm=qk_norm)
    x = torch.randn(2, 7, 16, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(7) < torch.tensor([[7], [3]])
    for scope in (None, mask[:, None, None]):
        there = moved(attention, device)(x.to(device), None if scope is None else scope.to(device))
        assert there.device.type == device.type
        assert_close(there.cpu(), attention(x, scope), TOLERANCE)


@pytest.mark.parametrize("token_budget", [None, 5])
def test_embedder(device, make_tokens, assert_close, token_budget):
    embedder, tokens = TokenEmbedder(12, 16, token_budget=token_budget).eval(), make_tokens()
    here = embedder(tokens)
    there = moved(embedder, device)(copy.copy(tokens).to(device))
    assert torch.equal(there.offsets.cpu(), here.offsets)
    assert_close(there.x.cpu(), here.x, TOLERANCE)


@pytest.mark.parametrize("options", [{}, {"graph_bias": True}, {"size_bias": True}], ids=str)
@pytest.mark.parametrize("layout", ["padded", "packed"])
def test_spit_forward_and_gradients(device, make_tokens, make_model, assert_close, layout, options):
    model, tokens = make_model(attention=layout, **options), make_tokens()
    model_there = moved(model, device)
    here = model.forward_tokens(tokens)
    there = model_there.forward_tokens(copy.copy(tokens).to(device))
    assert_close(there.cpu(), here, TOLERANCE)
    here.square().sum().backward()
    there.square().sum().backward()
    gradients = {name: parameter.grad for name, parameter in model_there.named_parameters()}
    for name, parameter in model.named_parameters():
        if parameter.grad is None:
            assert gradients[name] is None, name
        else:
            scale = max(1, float(parameter.grad.abs().max()))
            assert_close(gradients[name].cpu(), parameter.grad, TOLERANCE * scale)


def test_extractor(device, awkward_images, assert_close):
    extractor = InterpolationExtractor(4)
    with kernels.plain():
        tokens = SuperpixelTokenizer(levels=2)(awkward_images)
        here = extractor(copy.copy(tokens)).x
    with kernels_of(device):
        there = extractor(copy.copy(tokens).to(device)).x
    assert there.device.type == device.type
    assert_close(there.cpu(), here, 1e-6 * max(1, float(here.abs().max())))


def test_from_pictures_to_logits(device, awkward_images, assert_close):
    torch.manual_seed(0)
    extractor = InterpolationExtractor(bins=4)
    model = SPiT(
        SuperpixelTokenizer(levels=2),
        extractor,
        TokenEmbedder(extractor.out_channels, 16),
        Backbone(16, 2, 4),
        nn.Linear(16, 5),
    ).eval()
    with kernels.plain():
        here = model(awkward_images)
    with kernels_of(device):
        there = moved(model, device)([image.to(device) for image in awkward_images])
    assert_close(there.cpu(), here, TOLERANCE)
