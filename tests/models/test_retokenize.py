"""The same weights on other regions."""

import pytest
import torch

from helpers.models import TINY, randomised
from helpers.pictures import noise
from spitgraph import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer, create_model
from spitgraph.models.retokenize import retokenized


def model(name="spit_tiny_16", **options):
    return randomised(create_model(name, **TINY, **options)).eval()


@pytest.mark.parametrize(
    ("kind", "options", "tokenizer"),
    [
        ("superpixel", {"num_tokens": 5, "quality": "fine"}, SuperpixelTokenizer),
        ("patch", {"patch_size": 2}, PatchTokenizer),
        ("voronoi", {"num_tokens": 5}, VoronoiTokenizer),
    ],
)
def test_other_regions_by_the_same_weights(kind, options, tokenizer):
    before = model()
    after = retokenized(before, kind, **options)
    assert type(after.tokenizer) is tokenizer and not after.training
    assert all(getattr(after.tokenizer, name) == value for name, value in options.items())
    state = after.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in before.state_dict().items())
    assert after.extractor.sigma == before.extractor.sigma


def test_without_a_kind_only_what_is_told_changes():
    before = model(num_tokens=7, compactness=0.25)
    after = retokenized(before, num_tokens=4)
    assert (after.tokenizer.num_tokens, after.tokenizer.compactness) == (4, 0.25)
    image = noise(8, 8)
    assert after.tokenize(image).num_nodes == 4
    assert torch.equal(retokenized(after, num_tokens=7)(image), before(image))


def test_what_is_refused():
    with pytest.raises(ValueError, match="tokenizer must be one of"):
        retokenized(model(), "squares")
    with pytest.raises(TypeError, match="not about patches"):
        retokenized(model(), "patch", num_tokens=4)
