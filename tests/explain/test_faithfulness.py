"""Measures of faithfulness, by tokens that are dropped."""

from math import exp

import pytest
import torch

from helpers.models import make_random_model, make_random_tokens
from helpers.pictures import seeded
from helpers.toys import Sums, toy_tokens
from spitgraph import explain
from spitgraph.explain import Attribution

ADDS = (2.0, 1.0, -1.0, 0.0, 3.0)
ORDER = torch.tensor([4.0, 3.0, 1.0, 2.0, 5.0])  # tokens 4, 0, 1, 3, 2
COUNT = 11


def p(x):
    return 1 / (1 + exp(-x))


def random_case(count=COUNT, seed=0):
    tokens = make_random_tokens((count,), seed)[0]
    scores = torch.randn(count, generator=seeded(seed))
    return make_random_model(attention="packed"), tokens, scores


# ---- worked by hand ------------------------------------------------------------------------------


def test_curves_of_a_sum():
    model, tokens = Sums(), toy_tokens(*ADDS)
    gone = explain.deletion(model, ORDER, tokens, 0, steps=5)
    back = explain.insertion(model, ORDER, tokens, 0, steps=5)
    assert gone.fractions.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert gone.probabilities.tolist() == pytest.approx([p(s) for s in (5, 2, 0, -1, -1, 0)])
    assert back.probabilities.tolist() == pytest.approx([p(s) for s in (0, 3, 5, 6, 6, 5)])
    area = (p(5) / 2 + p(2) + p(0) + 2 * p(-1) + p(0) / 2) / 5
    assert gone.area == pytest.approx(area)


def test_comprehensiveness_and_sufficiency_of_a_sum():
    model, tokens = Sums(), toy_tokens(*ADDS)
    fractions = (0.01, 0.2, 0.5)  # 1, 1 and 3 of 5 tokens: two and a half are rounded up
    gone = explain.comprehensiveness(model, ORDER, tokens, 0, fractions=fractions)
    kept = explain.sufficiency(model, ORDER, tokens, 0, fractions=fractions)
    assert gone == pytest.approx(p(5) - (p(2) + p(2) + p(-1)) / 3)
    assert kept == pytest.approx(p(5) - (p(3) + p(3) + p(6)) / 3)


def test_fractions_of_pixels():
    model, tokens = Sums(), toy_tokens(*ADDS, size=(10, 20, 20, 10, 40))
    curve = explain.deletion(model, ORDER, tokens, 0, steps=2, by="pixels")
    assert curve.fractions.tolist() == pytest.approx([0, 0.5, 1])  # tokens 4 and 0
    assert curve.probabilities.tolist() == pytest.approx([p(5), p(0), p(0)])
    gone = explain.comprehensiveness(model, ORDER, tokens, 0, fractions=(0.7,), by="pixels")
    assert gone == pytest.approx(p(5) - p(-1))  # and token 1


def test_the_other_class_and_the_predicted_one():
    model, tokens = Sums(), toy_tokens(*ADDS)
    of_other = explain.deletion(model, ORDER, tokens, 1, steps=5).probabilities
    of_predicted = explain.deletion(model, ORDER, tokens, steps=5).probabilities
    assert torch.allclose(of_other, 1 - of_predicted)
    assert of_predicted[0] == pytest.approx(p(5))


# ---- properties ----------------------------------------------------------------------------------


def test_points_are_the_model_on_what_is_left():
    model, tokens, scores = random_case()
    curve = explain.deletion(model, scores, tokens, 2, steps=COUNT)
    order = scores.argsort(descending=True)
    for count, found in enumerate(curve.probabilities.tolist()):
        keep = torch.ones(COUNT, dtype=torch.bool)
        keep[order[:count]] = False
        with torch.no_grad():
            logits = model.forward_tokens(tokens, keep=keep)
        assert found == pytest.approx(float(logits.softmax(-1)[0, 2]), abs=1e-6)


@pytest.mark.parametrize("by", ["tokens", "pixels"])
def test_what_is_deleted_first_is_what_is_inserted_last_in_the_reverse_order(by):
    model, tokens, scores = random_case()
    tokens.size = torch.randint(1, 9, (COUNT,), generator=seeded(3))
    steps = COUNT if by == "tokens" else 100  # so many that every token is a step, from either end
    gone = explain.deletion(model, scores, tokens, 1, steps=steps, by=by)
    back = explain.insertion(model, -scores, tokens, 1, steps=steps, by=by)
    assert torch.allclose(gone.fractions, 1 - back.fractions.flip(0))
    assert torch.equal(gone.probabilities, back.probabilities.flip(0))
    assert gone.area == pytest.approx(back.area)


def test_random_orders_delete_as_they_insert():
    model, tokens, _ = random_case()
    gone, back = [], []
    for seed in range(40):
        control = explain.random_order(model, tokens, 1, generator=seeded(seed))
        gone.append(explain.deletion(model, control, steps=5).area)
        back.append(explain.insertion(model, control, steps=5).area)
    gap = explain.bootstrap_interval(torch.tensor(gone) - torch.tensor(back), level=0.999)
    assert gap.low < 0 < gap.high


def test_areas_lie_between_the_smallest_and_the_largest_probability():
    model, tokens, scores = random_case()
    for steps in (1, 3, 20):
        for curve in (
            explain.deletion(model, scores, tokens, steps=steps),
            explain.insertion(model, scores, tokens, steps=steps),
        ):
            assert 0 <= curve.probabilities.min() <= curve.area <= curve.probabilities.max() <= 1
            assert curve.fractions[0] == 0 and curve.fractions[-1] == 1
            assert (curve.fractions.diff() > 0).all()
            assert len(curve.fractions) == min(steps, COUNT) + 1


def test_all_at_once_are_each_on_its_own():
    model, tokens, scores = random_case()
    both = explain.faithfulness(model, scores, tokens, 3, steps=7)
    gone = explain.deletion(model, scores, tokens, 3, steps=7)
    back = explain.insertion(model, scores, tokens, 3, steps=7)
    assert torch.allclose(both.deletion.probabilities, gone.probabilities)
    assert torch.allclose(both.insertion.probabilities, back.probabilities)
    gone = explain.comprehensiveness(model, scores, tokens, 3)
    assert both.comprehensiveness == pytest.approx(gone)
    assert both.sufficiency == pytest.approx(explain.sufficiency(model, scores, tokens, 3))


def test_an_attribution_brings_its_tokens_and_its_class():
    model, tokens, scores = random_case()
    attribution = Attribution(scores, 4, "mine", tokens)
    expected = explain.deletion(model, scores, tokens, 4)
    assert torch.equal(explain.deletion(model, attribution).probabilities, expected.probabilities)


@pytest.mark.parametrize("count", [1, 2])
def test_few_tokens(count):
    model, tokens = Sums(), toy_tokens(*[1.0] * count)
    curve = explain.deletion(model, torch.zeros(count), tokens, 0)
    assert curve.probabilities.tolist() == pytest.approx([p(n) for n in range(count, -1, -1)])
    gone = explain.comprehensiveness(model, torch.zeros(count), tokens, 0)
    assert gone == pytest.approx(p(count) - p(count - 1))


def test_equal_scores_are_a_defined_result():
    model, tokens, _ = random_case()
    equal = torch.zeros(COUNT)
    curves = [explain.deletion(model, equal, tokens, generator=g) for g in (None, seeded(0))]
    assert torch.equal(curves[0].probabilities, curves[1].probabilities)
    other = explain.deletion(model, equal, tokens, generator=seeded(1))
    assert not torch.equal(curves[0].probabilities, other.probabilities)


def test_the_models_mode_is_left_as_it_was():
    model, tokens, scores = random_case()
    expected = explain.deletion(model, scores, tokens).area
    assert explain.deletion(model.train(), scores, tokens).area == expected
    assert model.training


def test_a_curve_costs_what_is_left_of_the_image():
    model, tokens, scores = random_case(196)
    rows = []
    model.backbone.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0].x)))
    explain.deletion(model, scores, tokens)
    assert sum(rows) <= 11 * 197


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"scores": torch.zeros(3)}, ValueError, r"scores of \[11\].*\[3\]"),
        ({"scores": torch.full((COUNT,), torch.nan)}, ValueError, "finite"),
        ({"scores": [0.0] * COUNT}, TypeError, "scores"),
        ({"scores": [], "tokens": None}, TypeError, "scores must be an Attribution or a tensor"),
        ({"tokens": None}, ValueError, "tokens"),
        ({"tokens": make_random_tokens((3, 4))}, ValueError, "one image"),
        ({"target": 5}, ValueError, "class in 0 … 4"),
        ({"target": 0.5}, TypeError, "target"),
        ({"steps": 0}, ValueError, "steps"),
        ({"by": "area"}, ValueError, "by must be"),
        ({"removal": "blur"}, ValueError, "removal must be"),
        ({"fractions": ()}, ValueError, "fractions"),
        ({"fractions": (0.1, 2)}, ValueError, "fractions"),
    ],
)
def test_bad_input_is_refused(change, error, message, unchecked):
    model, tokens, scores = random_case()
    arguments = {"scores": scores, "tokens": tokens, "target": 1} | change
    with pytest.raises(error, match=message):
        explain.faithfulness(model, **arguments)
