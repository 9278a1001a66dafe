"""Settings: what is asked for is checked once, and reaches everything that contracts."""

import inspect
from dataclasses import fields

import pytest
import torch

from spitgraph import SuperpixelTokenizer, kernels
from spitgraph.contraction import Settings, operator
from spitgraph.kernels import limits
from spitgraph.transforms import ContractSuperpixels, ToSuperpixels

OTHERS = [
    Settings(2),
    Settings(num_tokens=7),
    Settings(compactness=0.1, similarity="ward"),
    Settings(3, similarity="cosine", features="spit"),
]


@pytest.mark.parametrize("settings", OTHERS, ids=str)
def test_operators_get_them_unchanged(settings):
    assert Settings.from_json(settings.to_json()) == settings


def test_features_of_the_callers_own_go_as_numbers():
    own = Settings(features=lambda image: image)
    assert Settings.from_json(own.to_json()) == Settings()
    assert str(own).endswith("features='callable'")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"levels": 0}, ValueError, "levels must be at least 1, got 0"),
        ({"num_tokens": 2.0}, TypeError, "num_tokens must be an integer, got 2.0"),
        ({"compactness": 1.1}, ValueError, r"compactness must be in \[0, 1\], got 1.1"),
        ({"similarity": "near"}, ValueError, "similarity must be one of 'distance', 'ward'"),
        ({"features": "rgb"}, ValueError, "features must be one of 'lab', 'spit', got 'rgb'"),
        ({"colour": "lab"}, TypeError, "colour"),
    ],
)
def test_what_does_not_fit_is_refused(unchecked, arguments, error, message):
    for kind in (Settings, SuperpixelTokenizer, ToSuperpixels, ContractSuperpixels):
        with pytest.raises(error, match=message):
            kind(**arguments)


def test_all_that_take_them_say_so():
    expected = inspect.signature(Settings)
    for kind in (SuperpixelTokenizer, ToSuperpixels, ContractSuperpixels):
        assert inspect.signature(kind) == expected
    for option in fields(Settings):
        assert option.metadata["help"], option.name


def test_a_tokenizer_shows_its_settings():
    tokenizer = SuperpixelTokenizer(num_tokens=9, compactness=0.5)
    assert (tokenizer.num_tokens, tokenizer.compactness, tokenizer.levels) == (9, 0.5, 4)
    with pytest.raises(AttributeError, match="brightness"):
        tokenizer.brightness  # noqa: B018


@pytest.mark.parametrize("limit", [34, 35])
def test_images_beyond_what_kernels_can_number_take_the_plain_path(monkeypatch, limit):
    image = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0))
    with kernels.plain():
        expected = operator.contract([image], Settings(2))
    monkeypatch.setattr(limits, "CPU_PIXELS", limit)
    for one, other in zip(operator.contract([image], Settings(2)), expected, strict=True):
        assert torch.equal(one, other)
    assert operator.fits([(5, 7)], torch.device("cpu")) == (limit == 35)
