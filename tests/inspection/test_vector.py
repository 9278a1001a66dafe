"""What a token's vector holds, unpacked and drawn."""

import pytest
import torch

from spitgraph import SuperpixelTokenizer
from spitgraph.extractors import InterpolationExtractor
from spitgraph.inspection import plot_token, unpack_vectors


@pytest.fixture(scope="module")
def tokens():
    image = torch.rand(3, 24, 30, generator=torch.Generator().manual_seed(0))
    return InterpolationExtractor(6)(SuperpixelTokenizer(2)(image))


@pytest.mark.parametrize("gradient", [True, False])
@pytest.mark.parametrize("bins", [2, 8, 16])
def test_vectors_unpack_to_the_layout_of_the_extractor(bins, gradient):
    lattice = torch.rand(3, bins, bins, 4 + gradient)
    parts = unpack_vectors(lattice.flatten(1))
    assert list(parts) == ["red", "green", "blue", "position", "gradient"][: 4 + gradient]
    assert torch.equal(torch.stack(list(parts.values()), dim=-1), lattice)


def test_other_lengths_are_refused():
    with pytest.raises(ValueError, match="4β² or 5β² entries, got 7"):
        unpack_vectors(torch.rand(2, 7))


@pytest.mark.parametrize("which", [0, [1], [0, 2, 5]])
def test_a_row_of_four_panels_a_token(tokens, which):
    rows = 1 if isinstance(which, int) else len(which)
    assert len(plot_token(tokens, which).axes) == 4 * rows


def test_histograms_are_drawn_as_they_are(tokens):
    position = plot_token(tokens, 3).axes[2].images[0].get_array()
    assert torch.equal(torch.tensor(position), unpack_vectors(tokens.x)["position"][3])


@pytest.mark.parametrize("which", [[], [-1], [10_000]])
def test_missing_tokens_are_refused(tokens, which):
    with pytest.raises(ValueError, match="tokens are numbered 0 … "):
        plot_token(tokens, which)


def test_tokens_without_vectors_are_refused():
    with pytest.raises(ValueError, match="no vectors"):
        plot_token(SuperpixelTokenizer(2)(torch.rand(3, 8, 8)), 0)
