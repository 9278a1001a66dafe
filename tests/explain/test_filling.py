"""Measures of faithfulness by filled pixels, for models whose tokens differ."""

import pytest
import torch

from helpers.models import TINY
from helpers.pictures import noise, seeded
from spitgraph import create_model, explain
from spitgraph.explain import Attribution
from spitgraph.explain.removal import Filling, filled

MAP = torch.rand(12, 16, generator=seeded(0))
NAMES = {"vit_tiny_16": {}, "spit_tiny_16": {"num_tokens": 9}}


def tiny(name):
    return create_model(name, **(TINY | {"depth": 1} | NAMES[name])).eval()


def read_by(model):
    """Pictures that a model is asked about, in the order in which it is."""
    pictures = []
    model.register_forward_pre_hook(lambda _, inputs: pictures.extend(inputs[0]))
    return pictures


def test_pixels_get_the_mean_colour_of_the_whole_picture():
    image = torch.tensor([[[0.0, 0.2], [0.4, 1.0]]]).expand(3, 2, 2)
    where = torch.tensor([[True, False], [False, True]])
    expected = torch.tensor([[0.4, 0.2], [0.4, 0.4]]).expand(3, 2, 2)
    assert torch.allclose(filled(image, where), expected)


def test_equal_pixels_go_by_priority_and_then_row_by_row(unchecked):
    values = torch.tensor([[1.0, 2.0, 1.0], [2.0, 1.0, 3.0]])
    image, counts = torch.rand(3, 2, 3, generator=seeded(0)), torch.arange(7)
    plain = Filling(None, image, values)
    assert plain.order.tolist() == [5, 1, 3, 0, 2, 4]
    by_token = Filling(None, image, values, torch.tensor([[1, 1, 0], [0, 0, 0]]))
    assert by_token.order.tolist() == [5, 3, 1, 2, 4, 0]
    for gone, there in zip(plain.without(counts), plain.only(counts), strict=True):
        gone, there = plain.picture(*gone), plain.picture(*there)
        is_gone = (gone != image).any(0)
        assert torch.equal(is_gone, ~(there != image).any(0))


def test_the_same_is_removed_whatever_the_tokens_are():
    image, asked = noise(12, 16), {}
    for name in NAMES:
        model = tiny(name)
        tokens, asked[name] = model.tokenize(image), read_by(model)
        explain.faithfulness(model, MAP, tokens, 0, steps=4, removal="filling")
    first, second = asked.values()
    assert len(first) == 9 + 9  # of 5 shares and 5 fractions, ½ is the same
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_points_are_the_model_on_the_filled_picture():
    model, image = tiny("spit_tiny_16"), noise(12, 16)
    curve = explain.deletion(model, MAP, model.tokenize(image), 1, steps=4, removal="filling")
    rank = MAP.flatten().argsort(descending=True).argsort().view(12, 16)
    assert curve.fractions.tolist() == [0, 0.25, 0.5, 0.75, 1]
    for share, found in zip(curve.fractions, curve.probabilities, strict=True):
        with torch.no_grad():
            logits = model(filled(image, rank < share * MAP.numel()))
        assert found == pytest.approx(float(logits.softmax(-1)[0, 1]), abs=1e-6)


def test_a_score_a_token_is_the_map_of_its_pixels():
    model = tiny("spit_tiny_16")
    tokens = model.tokenize(noise(12, 16))
    scores = torch.rand(9, generator=seeded(1))
    options = {"steps": 5, "removal": "filling"}
    expected = explain.insertion(model, scores[tokens.seg[0]], tokens, 0, **options)
    for given in (scores, Attribution(scores, 0, "mine", tokens)):
        curve = explain.insertion(model, given, tokens, 0, **options)
        assert torch.allclose(curve.probabilities, expected.probabilities)


def test_tokens_of_equal_scores_are_filled_one_after_the_other():
    model = tiny("spit_tiny_16")
    tokens = model.tokenize(noise(12, 16))
    asked = read_by(model)
    explain.deletion(model, torch.zeros(9), tokens, 0, steps=24, removal="filling")
    for picture in asked:
        is_filled = (picture != noise(12, 16)).any(0).flatten()
        shares = torch.zeros(9).index_add(0, tokens.cluster, is_filled.float())
        part = (shares > 0) & (shares < tokens.size.float())
        assert part.sum() <= 1


def test_maps_of_other_pictures_and_dropped_pixels_are_refused():
    model = tiny("spit_tiny_16")
    tokens = model.tokenize(noise(12, 16))
    with pytest.raises(ValueError, match=r"scores of \[12, 16\]"):
        explain.deletion(model, MAP[1:], tokens, removal="filling")
    with pytest.raises(ValueError, match="pixels"):
        explain.deletion(model, MAP, tokens.without_pixels(), removal="filling")
