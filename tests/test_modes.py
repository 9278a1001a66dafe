"""PyTorch's modes change neither tokens nor vectors."""

import inspect
from contextlib import contextmanager, nullcontext
from functools import partial

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.forward_ad import dual_level, make_dual, unpack_dual
from torch.func import functional_call, grad, jvp, stack_module_state, vmap
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.comparison import assert_close
from helpers.models import TINY, make_random_model, make_random_tokens
from helpers.pictures import mixed, noise, random_bytes
from spitgraph import (
    InterpolationExtractor,
    PatchTokenizer,
    SuperpixelTokenizer,
    TokenData,
    VoronoiTokenizer,
    from_partition,
    kernels,
)
from spitgraph.models import create_model
from spitgraph.modes import is_eager, product
from spitgraph.nn import Backbone, TokenEmbedder


@contextmanager
def setting(change, restore, value):
    """A setting of the process, until the test is over."""
    before = restore()
    change(value)
    try:
        yield
    finally:
        change(before)


DEFAULT_DTYPE = partial(setting, torch.set_default_dtype, torch.get_default_dtype)
MATMUL_PRECISION = partial(
    setting, torch.set_float32_matmul_precision, torch.get_float32_matmul_precision
)
#: How to switch each mode on.
MODES = {
    "autocast to bfloat16": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast to float16": lambda: torch.autocast("cpu", torch.float16),
    "default dtype float64": lambda: DEFAULT_DTYPE(torch.float64),
    "default dtype bfloat16": lambda: DEFAULT_DTYPE(torch.bfloat16),
    "default device meta": lambda: torch.device("meta"),
    "inference mode": torch.inference_mode,
    "without gradients": torch.no_grad,
    "deterministic": lambda: setting(
        torch.use_deterministic_algorithms, torch.are_deterministic_algorithms_enabled, True
    ),
    "short products": lambda: MATMUL_PRECISION("medium"),
    "no denormal numbers": lambda: setting(torch.set_flush_denormal, lambda: False, True),
}
#: A linear map of colours, as a network has them, which autocast makes shorter.
MIX = torch.tensor([[0.3, 0.5, 0.1], [0.7, -0.2, 0.4]])
TOKENIZERS = {
    "distance": lambda: SuperpixelTokenizer(3),
    "authors'": lambda: SuperpixelTokenizer(2, features="spit", similarity="cosine"),
    "to a count": lambda: SuperpixelTokenizer(num_tokens=9, compactness=0.3),
    "own features": lambda: SuperpixelTokenizer(
        2, features=lambda image: torch.einsum("cd,dhw->chw", MIX, image)
    ),
    "patches": lambda: PatchTokenizer(7),
    "cells": lambda: VoronoiTokenizer(12, generator=torch.Generator().manual_seed(0)),
}
IMAGES = [mixed(), random_bytes(15, 20, 3)]


def tokens_of(name):
    """Tokens of a batch, and of an image at a level further up."""
    batch = TOKENIZERS[name]()(IMAGES)
    return batch, batch[1].to_level(1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("plainly", [False, True], ids=["fused", "plain"])
def test_tokens_and_vectors_stay_what_they_are(mode, plainly, assert_same):
    extract = InterpolationExtractor(6, sigma=0.05)  # of values whose last bit is below 1e-6
    with kernels.plain() if plainly else nullcontext():
        for name in TOKENIZERS:
            expected = tokens_of(name)
            vectors = [extract(tokens).x for tokens in expected]
            with MODES[mode]():
                found = tokens_of(name)
                extracted = [extract(tokens).x for tokens in found]
            for one, other in zip(found, expected, strict=True):
                assert_same(one, other)
            for one, other in zip(extracted, vectors, strict=True):
                assert one.dtype == torch.float32
                assert_close(one, other, 1e-6)


@pytest.mark.parametrize("mode", ["autocast to bfloat16", "default dtype bfloat16"])
def test_vectors_with_derivatives_stay_what_they_are(mode):
    image = mixed().requires_grad_()
    extract, tokenize = InterpolationExtractor(6), SuperpixelTokenizer(num_tokens=9)
    expected = extract(tokenize(image)).x
    (slope,) = torch.autograd.grad(expected.square().sum(), image)
    with MODES[mode]():
        x = extract(tokenize(image)).x
    assert_close(x, expected, 1e-6)
    (again,) = torch.autograd.grad(x.square().sum(), image)
    assert_close(again, slope, 1e-5 * float(slope.abs().max()))


def test_products_are_not_made_shorter():
    a, b = torch.rand(2, 40, 50), torch.rand(2, 50, 30)
    expected = (a.double() @ b.double()).float()
    with MATMUL_PRECISION("medium"):
        assert torch.equal(product(a, b), expected)
    assert_close(product(a, b), expected, 1e-4)


def test_images_are_checked_in_their_own_precision(unchecked):
    image = torch.full((3, 4, 4), 1.001, dtype=torch.float32)
    with MODES["default dtype bfloat16"](), pytest.raises(ValueError, match="got 1.001"):
        PatchTokenizer(2)(image)


def test_a_model_is_configured_the_same():
    with MODES["default dtype bfloat16"]():
        rates = [block.drop_path1.drop_prob for block in Backbone(8, 4, 2, drop_path=0.3).blocks]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3], abs=1e-12)


def test_a_token_budget_is_drawn_as_evenly():
    """Of 8 bits many draws would be equal, and the first nodes be kept more often."""
    embedder = TokenEmbedder(1, 2, token_budget=1000).train()
    tokens = TokenData(x=torch.zeros(2000, 1), edge_index=torch.empty(2, 0, dtype=torch.int64))
    torch.manual_seed(0)
    expected = embedder(tokens).kept
    torch.manual_seed(0)
    with MODES["default dtype bfloat16"]():
        assert torch.equal(embedder(tokens).kept, expected)


# ---- transforms of torch.func --------------------------------------------------------------------


@pytest.fixture
def tokens():
    return SuperpixelTokenizer(num_tokens=9)(noise(12, 13))


@pytest.fixture
def vectors(tokens):
    """Vectors as a function of the pixels."""

    def of_pixels(pixels):
        changed = TokenData(**tokens.to_dict())
        changed.pixels = pixels
        return InterpolationExtractor(4)(changed).x

    return of_pixels


def test_vectors_can_be_transformed(tokens, vectors):
    pixels = tokens.pixels
    leaf = pixels.clone().requires_grad_()
    vectors(leaf).square().sum().backward()
    slope = grad(lambda p: vectors(p).square().sum())(pixels)
    assert_close(slope, leaf.grad, 1e-5 * float(slope.abs().max()))
    two = torch.stack([pixels, pixels / 2])
    with kernels.plain():
        for one, of_pixels in zip(vmap(vectors)(two), two, strict=True):
            assert_close(one, vectors(of_pixels), 1e-6)
    direction = torch.rand_like(pixels)
    _, slope = jvp(lambda p: vectors(p).square().sum(), (pixels,), (direction,))
    assert_close(slope, (leaf.grad * direction).sum(), 1e-3 * float(leaf.grad.abs().sum()))


@pytest.mark.parametrize("make", [lambda image: image, lambda image: [image]])
@pytest.mark.parametrize("transform", [grad, vmap])
def test_tokens_cannot_be_made_inside_a_transform(make, transform):
    def total(image):
        return InterpolationExtractor(4)(PatchTokenizer(4)(make(image))).x.sum()

    image = noise(8, 8) if transform is grad else noise(8, 8)[None]
    with pytest.raises(TypeError, match="make tokens outside"):
        transform(total)(image)
    labels = torch.zeros(8, 8, dtype=torch.int64)
    with pytest.raises(TypeError, match="make tokens outside"):
        transform(lambda image: from_partition(image, labels).pos.sum())(image)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_an_ensemble_is_its_models():
    models = [create_model("spit_tiny_16", **TINY).eval() for _ in range(2)]
    parameters, _ = stack_module_state(models)
    images = [noise(9, 9), noise(7, 12, 1)]
    logits = vmap(lambda values: functional_call(models[0], values, (images,)))(parameters)
    for found, model in zip(logits, models, strict=True):
        assert_close(found, model(images), 1e-5)


@pytest.mark.parametrize("attention", ["packed", "padded"])
@pytest.mark.parametrize("bias", ["graph_bias", "size_bias"])
def test_derivatives_with_a_bias(attention, bias):
    model, tokens = make_random_model(attention=attention, **{bias: True}), make_random_tokens()

    def loss(x):
        changed = tokens.clone()
        changed.x = x
        return model.forward_tokens(changed).square().sum()

    leaf = tokens.x.clone().requires_grad_()
    loss(leaf).backward()
    assert_close(grad(loss)(tokens.x), leaf.grad, 1e-4 * float(leaf.grad.abs().max()))


def test_a_token_budget_is_refused_inside_vmap():
    model, tokens = make_random_model(token_budget=3).train(), make_random_tokens()
    parameters, _ = stack_module_state([model, model])

    def features(values):
        embedder = {k.removeprefix("embedder."): v for k, v in values.items() if "embedder" in k}
        return functional_call(model.embedder, embedder, (tokens,)).x

    with pytest.raises(RuntimeError, match="token budget cannot be drawn within vmap"):
        vmap(features, randomness="different")(parameters)


# ---- operators -----------------------------------------------------------------------------------


def test_only_plain_tensors_that_nobody_watches_pass_by_operators():
    image = noise(4, 5)
    assert is_eager([image])
    assert not is_eager([image, torch.nn.Parameter(image)])
    assert not is_eager([image.to("meta")])
    assert not is_eager([torch._neg_view(image)])  # whose memory holds other numbers
    with FakeTensorMode():
        assert not is_eager([image])
    with torch.device("cpu"):
        assert not is_eager([image])
    with torch.profiler.profile():
        assert not is_eager([image])
    found = []
    vmap(lambda x: found.append(is_eager([image])) or x)(image)
    torch.jit.trace(lambda x: found.append(is_eager([image])) or x + 1, image, check_trace=False)
    assert found == [False, False]
    bare = inspect.unwrap(is_eager)  # of a run-time type checker, which does not compile
    compiled = torch.compile(lambda x: x + bare([x]), backend="eager", fullgraph=True)
    assert torch.equal(compiled(image), image)
    assert is_eager([image])


def test_no_tangents_come_along():
    """Tokens hold none by any body: an image's are taken away with its gradients."""
    image = noise(9, 8)
    for body in (nullcontext, kernels.plain):
        with dual_level(), body():
            tokens = SuperpixelTokenizer(2)(make_dual(image, torch.ones_like(image)))
            for name in ("pixels", "color", "pos"):
                assert unpack_dual(tokens[name]).tangent is None


def test_operators_are_seen_by_modes():
    """What is called in an operator's place in eager mode, a mode still meets as the operator."""
    if not kernels.fused(torch.device("cpu"), "contraction"):
        pytest.skip("no kernels serve")
    seen = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            seen.append(str(function))
            return function(*args, **(kwargs or {}))

    expected = InterpolationExtractor(4)(SuperpixelTokenizer(2)(noise(9, 8)))
    with Watch():
        tokens = InterpolationExtractor(4)(SuperpixelTokenizer(2)(noise(9, 8)))
    assert torch.equal(tokens.x, expected.x)
    for name in ("contract", "describe_regions", "token_vectors"):
        assert f"spitgraph.{name}.default" in seen
