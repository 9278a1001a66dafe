"""φ against the formulas of METHOD 4 written out in float64 with loops."""

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
from spitgraph.extractors.interpolation import naive
from spitgraph.extractors.interpolation.bandwidth import sigma_of
from spitgraph.pixels import CONTRAST, adjust_contrast
from spitgraph.transforms import ExtractFeatures

NORMAL = {"mean": (0.48, 0.46, 0.41), "std": (0.27, 0.26, 0.28)}
SETTINGS = [(16, 0.05, True, {}), (16, 0.025, False, NORMAL), (8, 0.05, True, {})]


def expected_vectors(image, labels, *args, **kwargs):
    """METHOD 4 written out in loops."""
    vectors = naive.token_vectors(image.double().tolist(), labels.tolist(), *args, **kwargs)
    return torch.tensor(vectors, dtype=torch.float64)


#: Half a float32 step of a coordinate or gradient near 1, at the steepest slope of the histograms
#: here: 16·0.61/0.05 a pixel in either direction. And their bins and exponentials are rounded too.
ROUNDING = 2e-5


@pytest.mark.parametrize(("beta", "sigma", "gradient", "statistics"), SETTINGS)
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@given(
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    regions=st.sampled_from([1, 2, 5, 100]),
    seed=st.integers(0, 2**31),
)
def test_vectors_equal_the_formulas(
    mode, beta, sigma, gradient, statistics, height, width, regions, seed
):
    image = noise(height, width, seed)
    labels = random_labels(height, width, regions, seed)
    options = {"sigma": sigma, "gradient": gradient, "mode": mode, **statistics}
    extract = InterpolationExtractor(beta, **options)
    x = extract(from_partition(image, labels)).x
    expected = expected_vectors(image, labels, beta, **options)
    assert x.dtype == torch.float32
    assert x.shape == expected.shape == (int(labels.max()) + 1, extract.out_channels)
    assert (x - expected).abs().max() < ROUNDING


@pytest.mark.parametrize("tokenizer", [SuperpixelTokenizer(3), VoronoiTokenizer(9)], ids=str)
def test_vectors_of_connected_regions_equal_the_formulas(tokenizer):
    image = noise(20, 33, 0)
    tokens = InterpolationExtractor(8)(tokenizer(image))
    expected = expected_vectors(image, tokens.seg[0], 8)
    assert (tokens.x - expected).abs().max() < ROUNDING


@pytest.fixture(params=["fused", "plain"], autouse=True)
def implementation(request):
    """The fused kernels, and the plain operations."""
    if request.param == "plain":
        with kernels.plain():
            yield request.param
    else:
        if not kernels.available(torch.device("cpu")):
            pytest.skip("Numba is not installed")
        yield request.param


def test_nearest_on_patches_is_the_patch(implementation):
    image = noise(32, 48, 1)
    tokens = InterpolationExtractor(16, mode="nearest", gradient=False)(PatchTokenizer(16)(image))
    colour = torch.tensor(
        [
            [[naive.contrast(v, *of) for v in row] for row in channel]
            for channel, of in zip(image.double().tolist(), CONTRAST, strict=True)
        ]
    )
    patches = colour.unfold(1, 16, 16).unfold(2, 16, 16)  # [3, 2, 3, 16, 16]
    patches = patches.permute(1, 2, 3, 4, 0).reshape(6, 16, 16, 3)
    sampled = tokens.x.view(6, 16, 16, 4)[..., :3]
    assert (sampled - patches).abs().max() < 1e-6
    if implementation == "plain":  # no interpolation: the very numbers of the colour map
        assert torch.isin(sampled, adjust_contrast(image)).all()


def test_vectors_do_not_depend_on_the_batch():
    images = [noise(h, w, h) for h, w in ((40, 30), (1, 1), (64, 64), (3, 50))]
    tokenize, extract = SuperpixelTokenizer(2), InterpolationExtractor()
    batch = extract(tokenize(images))
    assert isinstance(batch, Batch)
    for i, image in enumerate(images):
        assert torch.equal(batch[i].x, extract(tokenize(image)).x)


@pytest.mark.parametrize("gradient", [True, False])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("statistics", [{}, NORMAL], ids=["contrast", "normalised"])
def test_derivatives_with_respect_to_pixels(statistics, mode, gradient):
    tokens = from_partition(noise(4, 5, 3), random_labels(4, 5, 3, 3))
    extract = InterpolationExtractor(3, gradient=gradient, mode=mode, sigma=0.3, **statistics)

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
    expected = expected_vectors(image, labels, 8)
    assert x.isfinite().all()
    assert (x - expected).abs().max() < ROUNDING


def test_sigma_is_the_same_share_of_a_bin_where_it_is_not_told():
    assert InterpolationExtractor().sigma == ExtractFeatures().extractor.sigma == 0.05
    assert InterpolationExtractor(8).sigma == ExtractFeatures(8).extractor.sigma == 0.1
    assert [sigma_of(bins) * bins for bins in (2, 4, 14, 32)] == pytest.approx([0.8] * 4)
    assert InterpolationExtractor(8, sigma=0.05).sigma == 0.05
    with pytest.raises(ValueError, match="bins must be at least 2, got 1"):
        sigma_of(1)


@pytest.mark.parametrize("bins", [2, 8])
def test_every_pixel_counts_wherever_it_lies(bins):
    """Even halfway between bins, along both axes, and a pixel from the border: exp(−0.78) each."""
    pixels = PatchTokenizer(1)(torch.rand(3, 16, 16))
    for sigma, least in ((None, 0.2), (0.025, 0)):
        extract = InterpolationExtractor(bins, gradient=False, sigma=sigma)
        position = extract(pixels).x[:, extract.layout["position"]] / (4 * (16 / bins) ** 2)
        assert least <= position.amax(1).min() < least + 0.01


def test_repr_and_length():
    extract = InterpolationExtractor(8, gradient=False, sigma=0.025)
    assert extract.out_channels == 4 * 64
    assert repr(extract) == (
        "InterpolationExtractor(bins=8, gradient=False, sigma=0.025, mode='bilinear')"
    )
    normalised = InterpolationExtractor(mean=[0.5, 0.25, 1], std=(1, 2.0, 0.5))
    assert repr(normalised).endswith("mode='bilinear', mean=(0.5, 0.25, 1.0), std=(1.0, 2.0, 0.5))")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"bins": 1}, ValueError, "bins must be at least 2, got 1"),
        ({"bins": 8.0}, TypeError, "bins must be an integer, got 8.0"),
        ({"sigma": 0.0}, ValueError, "sigma must be positive, got 0"),
        ({"sigma": float("nan")}, ValueError, "sigma must be positive, got nan"),
        ({"mode": "cubic"}, ValueError, "mode must be one of 'bilinear', 'nearest', got 'cubic'"),
        ({"mean": (0.5,) * 3}, ValueError, "mean and std must be given together"),
        ({"mean": (0.5,) * 2, "std": (1,) * 3}, ValueError, "mean must be of three channels"),
        ({"mean": "abc", "std": (1,) * 3}, ValueError, "mean must be of three channels"),
        ({"mean": (0, 0, None), "std": (1,) * 3}, TypeError, "mean must be a number, got None"),
        ({"mean": (0, 0, float("inf")), "std": (1,) * 3}, ValueError, "mean must be finite"),
        ({"mean": (0,) * 3, "std": (1, 0, 1)}, ValueError, "std must be positive"),
        ({"mean": (0,) * 3, "std": (1, 1e-40, 1)}, ValueError, "std must be in"),
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
