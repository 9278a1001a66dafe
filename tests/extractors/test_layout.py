"""The layout of a vector covers it once, and says what is where."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from helpers.pictures import noise
from spitgraph import Extractor, InterpolationExtractor, PatchTokenizer
from spitgraph.extractors.interpolation.layout import VectorLayout


@given(bins=st.integers(2, 40), gradient=st.booleans())
def test_every_entry_belongs_to_one_part(bins, gradient):
    extractor = InterpolationExtractor(bins, gradient=gradient)
    assert isinstance(extractor, Extractor)
    entries = range(extractor.out_channels)
    covered = sorted(i for part in extractor.layout.values() for i in entries[part])
    assert covered == list(entries)
    assert VectorLayout.of_length(extractor.out_channels) == VectorLayout(bins, gradient)


@pytest.mark.parametrize("gradient", [True, False])
def test_parts_are_where_they_are_said_to_be(gradient):
    """On a picture of one colour, each channel is one number, and there is no gradient."""
    extractor = InterpolationExtractor(3, gradient=gradient, mode="nearest")
    image = torch.tensor([0.2, 0.5, 0.8])[:, None, None].expand(3, 9, 9)
    x = extractor(PatchTokenizer(3)(image)).x
    values = [x[:, extractor.layout[channel]] for channel in ("red", "green", "blue")]
    assert all(value.max() - value.min() < 1e-6 for value in values)
    assert values[0].mean() < values[1].mean() < values[2].mean()
    assert extractor.out_channels == x.shape[1]
    if gradient:
        still = VectorLayout.of_length(x.shape[1]).lattice(x, "gradient")
        assert (still.amax((1, 2)) == still[:, 1, 1]).all()  # the middle bin is that of zero
    position = VectorLayout.of_length(x.shape[1]).lattice(x, "position")
    assert position[0].argmax() == 0


def test_an_extractor_says_its_length_by_its_layout():
    class Mean(Extractor):
        layout = {"color": slice(0, 3), "size": slice(3, 4)}

        def forward(self, tokens):
            tokens.x = torch.cat([tokens.color, tokens.size[:, None].float()], dim=1)
            return tokens

    extractor = Mean()
    assert extractor.out_channels == 4 == extractor(PatchTokenizer(2)(noise(4, 4))).x.shape[1]
