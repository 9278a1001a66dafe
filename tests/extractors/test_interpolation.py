"""φ against the formulas of METHOD 4 written out in float64 with loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch

from helpers.labels import random_labels
from helpers.pictures import noise
from spitgraph import (
    PatchTokenizer,
    SuperpixelTokenizer,
    VoronoiTokenizer,
    from_partition,
    kernels,
)
from spitgraph.extractors import InterpolationExtractor

SETTINGS = [(16, 0.05, True), (16, 0.025, False), (8, 0.05, True)]


def contrast(x: float, channel: int) -> float:
    m, a = ((0.485, 0.539), (0.456, 0.507), (0.406, 0.404))[channel]
    b = -math.log(2) / math.log(1 - m**a)
    return 2 * (1 - (1 - x**a) ** b) - 1


def scharr(grey: list, y: int, x: int) -> tuple[float, float]:
    height, width = len(grey), len(grey[0])

    def at(dy, dx):
        return grey[min(max(y + dy, 0), height - 1)][min(max(x + dx, 0), width - 1)]

    weights = {-1: 3, 0: 10, 1: 3}
    down = sum(w * (at(1, d) - at(-1, d)) for d, w in weights.items()) / 16
    right = sum(w * (at(d, 1) - at(d, -1)) for d, w in weights.items()) / 16
    return tuple(math.asinh(27.8 * g) / math.asinh(27.8) for g in (down, right))


def bilinear(table: list, y: float, x: float) -> float:
    height, width = len(table), len(table[0])
    y0, x0 = math.floor(y), math.floor(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    dy, dx = y - y0, x - x0
    top = (1 - dx) * table[y0][x0] + dx * table[y0][x1]
    bottom = (1 - dx) * table[y1][x0] + dx * table[y1][x1]
    return (1 - dy) * top + dy * bottom


def histogram(values, beta, sigma):
    centres = [-1 + (2 * i + 1) / beta for i in range(beta)]
    norm = len(values) * (beta / 16) ** 2 / 4
    return [
        [
            sum(math.exp(-0.5 * ((v - b) ** 2 + (h - c) ** 2) / sigma**2) for v, h in values) / norm
            for c in centres
        ]
        for b in centres
    ]


def vectors_by_hand(image, label, beta, sigma, gradient):
    """METHOD 4.1–4.4 for an image [3][H][W] and labels 0 … N − 1 [H][W]."""
    height, width = len(label), len(label[0])
    pixels = [(y, x) for y in range(height) for x in range(width)]
    colour = [
        [[contrast(image[c][y][x], c) for x in range(width)] for y in range(height)]
        for c in range(3)
    ]
    grey = [
        [sum(image[c][y][x] for c in range(3)) / 3 for x in range(width)] for y in range(height)
    ]
    longest = max(height, width)
    result = []
    for n in range(1 + max(map(max, label))):
        own = [(y, x) for y, x in pixels if label[y][x] == n]
        mask = [[float(label[y][x] == n) for x in range(width)] for y in range(height)]
        y_min, y_max = min(y for y, _ in own), max(y for y, _ in own)
        x_min, x_max = min(x for _, x in own), max(x for _, x in own)
        position = histogram(
            [(2 * y / longest - 1, 2 * x / longest - 1) for y, x in own], beta, sigma
        )
        texture = histogram([scharr(grey, y, x) for y, x in own], beta, sigma)
        vector = []
        for i in range(beta):
            for j in range(beta):
                y = y_min + i / (beta - 1) * (y_max - y_min)
                x = x_min + j / (beta - 1) * (x_max - x_min)
                covered = bilinear(mask, y, x)
                vector += [bilinear(colour[c], y, x) * covered for c in range(3)]
                vector += [position[i][j]] + ([texture[i][j]] if gradient else [])
        result.append(vector)
    return torch.tensor(result, dtype=torch.float64)


@pytest.mark.parametrize(("beta", "sigma", "gradient"), SETTINGS)
@given(
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    regions=st.sampled_from([1, 2, 5, 100]),
    seed=st.integers(0, 2**31),
)
def test_vectors_equal_the_formulas(beta, sigma, gradient, height, width, regions, seed):
    image = noise(height, width, seed)
    labels = random_labels(height, width, regions, seed)
    extract = InterpolationExtractor(beta, sigma=sigma, gradient=gradient)
    x = extract(from_partition(image, labels)).x
    expected = vectors_by_hand(image.double().tolist(), labels.tolist(), beta, sigma, gradient)
    assert x.dtype == torch.float32
    assert x.shape == expected.shape == (int(labels.max()) + 1, extract.out_channels)
    assert (x - expected).abs().max() < 1e-5


@pytest.mark.parametrize("tokenizer", [SuperpixelTokenizer(3), VoronoiTokenizer(9)], ids=str)
def test_vectors_of_connected_regions_equal_the_formulas(tokenizer):
    image = noise(20, 33, 0)
    tokens = InterpolationExtractor(8)(tokenizer(image))
    expected = vectors_by_hand(image.double().tolist(), tokens.seg[0].tolist(), 8, 0.05, True)
    assert (tokens.x - expected).abs().max() < 1e-5


@pytest.fixture(params=["fused", "plain"], autouse=True)
def implementation(request):
    """The fused kernels, and the plain operations."""
    if request.param == "plain":
        with kernels.plain():
            yield request.param
    else:
        if not kernels.fused(torch.device("cpu")):
            pytest.skip("Numba is not installed")
        yield request.param


def test_nearest_on_patches_is_the_patch(implementation):
    image = noise(32, 48, 1)
    tokens = InterpolationExtractor(16, mode="nearest", gradient=False)(PatchTokenizer(16)(image))
    colour = torch.stack(
        [
            torch.tensor([[contrast(v, c) for v in row] for row in image[c].double().tolist()])
            for c in range(3)
        ]
    )
    patches = colour.unfold(1, 16, 16).unfold(2, 16, 16)  # [3, 2, 3, 16, 16]
    patches = patches.permute(1, 2, 3, 4, 0).reshape(6, 16, 16, 3)
    sampled = tokens.x.view(6, 16, 16, 4)[..., :3]
    assert (sampled - patches).abs().max() < 1e-6
    if implementation == "plain":  # no interpolation: the very numbers of the colour map
        assert torch.isin(sampled, _colour_map(image)).all()


def _colour_map(image):
    from spitgraph.pixels import adjust_contrast

    return adjust_contrast(image)


def test_vectors_do_not_depend_on_the_batch():
    images = [noise(h, w, h) for h, w in ((40, 30), (1, 1), (64, 64), (3, 50))]
    tokenize, extract = SuperpixelTokenizer(2), InterpolationExtractor()
    batch = extract(tokenize(images))
    assert isinstance(batch, Batch)
    for i, image in enumerate(images):
        assert torch.equal(batch[i].x, extract(tokenize(image)).x)


@pytest.mark.parametrize("gradient", [True, False])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_derivatives_with_respect_to_pixels(mode, gradient):
    tokens = from_partition(noise(4, 5, 3), random_labels(4, 5, 3, 3))
    extract = InterpolationExtractor(3, gradient=gradient, mode=mode, sigma=0.3)

    def vectors(pixels):
        tokens.pixels = pixels
        return extract(tokens).x

    inside = (0.1 + 0.8 * tokens.pixels.double()).requires_grad_()
    assert torch.autograd.gradcheck(vectors, (inside,))


def test_derivatives_are_finite_at_black_and_white():
    image = torch.tensor([0.0, 1.0]).view(1, 1, 2).expand(3, 4, 2).clone().requires_grad_()
    tokens = InterpolationExtractor(4)(PatchTokenizer(2)(image))
    tokens.x.sum().backward()
    assert image.grad.isfinite().all()
    assert (image.grad != 0).any()


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        (torch.ones(3, 1, 1), torch.zeros(1, 1, dtype=torch.int64)),
        (torch.zeros(3, 17, 5), torch.zeros(17, 5, dtype=torch.int64)),
        (noise(6, 7, 5), torch.arange(42).view(6, 7)),
        (noise(8, 8, 6), torch.arange(64).view(8, 8) % 2),
    ],
    ids=["one pixel", "one region", "a region a pixel", "regions in pieces"],
)
def test_extreme_partitions(image, labels):
    x = InterpolationExtractor(8)(from_partition(image, labels)).x
    expected = vectors_by_hand(image.double().tolist(), labels.tolist(), 8, 0.05, True)
    assert x.isfinite().all()
    assert (x - expected).abs().max() < 1e-5


def test_repr_and_length():
    extract = InterpolationExtractor(8, gradient=False, sigma=0.025)
    assert extract.out_channels == 4 * 64
    assert repr(extract) == (
        "InterpolationExtractor(bins=8, gradient=False, sigma=0.025, mode='bilinear')"
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"bins": 1}, ValueError, "bins must be at least 2, got 1"),
        ({"bins": 8.0}, TypeError, "bins must be an integer, got 8.0"),
        ({"sigma": 0.0}, ValueError, "sigma must be positive, got 0"),
        ({"sigma": float("nan")}, ValueError, "sigma must be positive, got nan"),
        ({"mode": "cubic"}, ValueError, "mode must be one of 'bilinear', 'nearest', got 'cubic'"),
    ],
)
def test_wrong_settings_are_refused(unchecked, arguments, error, message):
    with pytest.raises(error, match=message):
        InterpolationExtractor(**arguments)


def test_tokens_without_pixels_are_refused():
    tokens = PatchTokenizer(2)(torch.rand(3, 4, 4)).without_pixels()
    with pytest.raises(ValueError, match="without_pixels"):
        InterpolationExtractor(4)(tokens)


def test_images_are_refused(unchecked):
    with pytest.raises(TypeError, match="expected TokenData or a Batch of it, got Tensor"):
        InterpolationExtractor(4)(torch.rand(3, 4, 4))
