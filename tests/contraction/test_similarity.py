"""A similarity of the caller's own stands where the built-in ones do."""

import pytest
import torch
from hypothesis import given

from helpers.effort import examples
from helpers.pictures import AWKWARD, mixed, noise, noise_of_bytes
from spitgraph import SuperpixelTokenizer, kernels
from spitgraph.contraction import Settings


def distance(u, v, size_u, size_v):
    return 1 / (1 + 12 * (u - v).square().sum(1))


def ward(u, v, size_u, size_v):
    q = size_u * size_v / (size_u + size_v)
    return 1 / (1 + 2 * q * (u - v).square().sum(1))


@pytest.mark.parametrize("own", [distance, ward])
@pytest.mark.parametrize(
    "how", [{"levels": 3}, {"num_tokens": 9}, {"levels": 2, "compactness": 1.0}]
)
def test_the_same_formula_gives_the_same_tokens(own, how, assert_same):
    for image in (mixed(), noise_of_bytes(20, 23)):
        built_in = SuperpixelTokenizer(**how, similarity=own.__name__)(image)
        assert_same(SuperpixelTokenizer(**how, similarity=own)(image), built_in)


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_pictures(name, assert_same):
    image = AWKWARD[name]
    assert_same(SuperpixelTokenizer(similarity=distance)(image), SuperpixelTokenizer()(image))


def test_it_does_not_depend_on_the_batch_nor_on_kernels(assert_same):
    def own(u, v, size_u, size_v):
        return torch.exp(-(u - v).abs().sum(1)) / (size_u + size_v).log1p()

    tokenizer, images = SuperpixelTokenizer(similarity=own), [noise(9, 11), mixed(), noise(5, 4)]
    batch = tokenizer(images)
    with kernels.plain():
        for index, image in enumerate(images):
            assert_same(batch[index], tokenizer(image))


def test_last_bits_do_not_decide():
    generator = torch.Generator().manual_seed(0)

    def shaky(u, v, size_u, size_v):
        return distance(u, v, size_u, size_v) + 1e-14 * torch.rand(len(u), generator=generator)

    image = mixed()
    assert torch.equal(
        SuperpixelTokenizer(similarity=shaky)(image).cluster, SuperpixelTokenizer()(image).cluster
    )


def test_minus_infinity_never_merges():
    def within_dark(u, v, size_u, size_v):
        return torch.where((u[:, 0] < 0.5) == (v[:, 0] < 0.5), 1.0, -torch.inf)

    image = torch.zeros(3, 4, 6)
    image[:, :, 3:] = 1
    for how in ({"levels": 8}, {"levels": 8, "compactness": 1.0}, {"num_tokens": 2}):
        tokens = SuperpixelTokenizer(**how, similarity=within_dark)(image)
        assert tokens.seg[0].tolist() == [[0, 0, 0, 1, 1, 1]] * 4
    with pytest.raises(ValueError, match="2 unconnected parts"):
        SuperpixelTokenizer(num_tokens=1, similarity=within_dark)(image)


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (lambda u: u, ValueError, r"each of 7 edges, got \[7, 3\]"),
        (lambda u: u[:1, 0], ValueError, r"each of 7 edges, got \[1\]"),
        (lambda u: torch.full((7,), torch.nan), ValueError, "from nan to nan"),
        (lambda u: torch.full((7,), torch.inf), ValueError, "from inf to inf"),
        (lambda u: torch.full((7,), 5000.0), ValueError, "within ±4096"),
        (lambda u: torch.ones(7).long(), TypeError, "got torch.int64"),
        (lambda u: None, TypeError, "got NoneType"),
    ],
)
def test_wrong_results_are_refused(unchecked, result, error, message):
    tokenizer = SuperpixelTokenizer(similarity=lambda u, v, size_u, size_v: result(u))
    with pytest.raises(error, match=message):
        tokenizer(noise(2, 3))


def test_it_is_an_option_like_others():
    settings = Settings(similarity=ward)
    assert "similarity='callable'" in str(settings)
    assert not settings.is_told and Settings().is_told
    with pytest.raises(ValueError, match="takes no similarity"):
        Settings(num_tokens=2, quality="fine", similarity=ward)


def test_every_weight_is_symmetric_in_its_ends(small_images):
    @examples(12)
    @given(image=small_images)
    def check(image):
        def own(u, v, size_u, size_v):
            assert (size_u >= 1).all() and u.shape == v.shape == (len(size_v), 3)
            assert u.dtype == v.dtype == size_u.dtype == torch.float64
            return distance(v, u, size_v, size_u)

        mirrored = SuperpixelTokenizer(3, similarity=own)(image)
        assert torch.equal(mirrored.cluster, SuperpixelTokenizer(3)(image).cluster)

    check()
