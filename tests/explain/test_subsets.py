"""What a model says of subsets of an image's tokens."""

import pytest
import torch
from torch.nn.functional import linear

from helpers.models import CLASSES, make_random_model, make_random_tokens, randomised
from helpers.pictures import noise, seeded
from spitgraph import create_model
from spitgraph.explain.subsets import subset_logits

COUNT = 24


def drawn(subsets=7, count=COUNT, share=0.5):
    return torch.rand(subsets, count, generator=seeded(0)) < share


def one_by_one(model, tokens, keep):
    with torch.no_grad():
        return torch.cat([model.forward_tokens(tokens, keep=part) for part in keep])


def products_depend_on_the_number_of_rows():
    """Whether this machine rounds a row otherwise when others are multiplied with it."""
    rows, weight = torch.randn(2000, 192), torch.randn(576, 192)
    return not torch.equal(linear(rows, weight)[:40], linear(rows[:40], weight))


@pytest.mark.parametrize("graph_bias", [False, True])
def test_are_the_model_on_the_remaining_tokens_bit_for_bit(graph_bias):
    if products_depend_on_the_number_of_rows():
        pytest.skip("this machine's products depend on the number of rows")
    options = {"depth": 2, "num_classes": CLASSES, "bins": 4, "num_tokens": 60}
    model = create_model("spit_tiny_16", graph_bias=graph_bias, **options)
    randomised(model.eval().backbone)
    tokens, keep = model.tokenize(noise(40, 40)), drawn(count=60)
    logits = subset_logits(model, tokens, keep)
    assert torch.equal(logits, one_by_one(model, tokens, keep))
    with torch.no_grad():
        alone = [model.forward_tokens(tokens.subgraph(part)) for part in keep]
    assert torch.equal(logits, torch.cat(alone))


@pytest.mark.parametrize("layout", ["packed", "padded"])
@pytest.mark.parametrize("max_rows", [1, 40, 4096])
def test_do_not_depend_on_what_is_evaluated_together(layout, max_rows):
    model, tokens = make_random_model(attention=layout), make_random_tokens((COUNT,))[0]
    keep = drawn(9)
    keep[2], keep[5], keep[7] = False, True, keep[0]
    keep[3] = torch.arange(COUNT) == 4
    logits = subset_logits(model, tokens, keep, max_rows=max_rows)
    assert logits.shape == (9, CLASSES)
    assert torch.allclose(logits, one_by_one(model, tokens, keep), atol=1e-4, rtol=1e-5)
    assert torch.equal(logits[0], logits[7])


def test_subsets_that_occur_often_are_evaluated_once():
    model, tokens = make_random_model(), make_random_tokens((COUNT,))[0]
    rows = []
    model.backbone.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0].x)))
    subset_logits(model, tokens, drawn(3)[torch.tensor([0, 1, 2, 2, 1, 0, 0])])
    assert sum(rows) == 3 + int(drawn(3).sum())


def test_show_their_progress(capsys, monkeypatch):
    monkeypatch.setattr("spitgraph.explain.subsets.PATIENCE", 0)
    model, tokens = make_random_model(), make_random_tokens((COUNT,))[0]
    subset_logits(model, tokens, drawn(), progress=True)
    assert "7/7" in capsys.readouterr().err
    subset_logits(model, tokens, drawn())
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("keep", "error"),
    [
        (drawn(count=3), ValueError),
        (drawn().float(), ValueError),
        (drawn()[0], ValueError),
        (drawn()[:0], ValueError),
        (drawn().tolist(), TypeError),
    ],
)
def test_masks_are_booleans_of_every_token(keep, error, unchecked):
    model, tokens = make_random_model(), make_random_tokens((COUNT,))[0]
    with pytest.raises(error, match="keep"):
        subset_logits(model, tokens, keep)


def test_batches_are_refused():
    with pytest.raises(ValueError, match="one image.*2"):
        subset_logits(make_random_model(), make_random_tokens((3, 4)), drawn(2, 7))


def test_the_models_mode_is_left_as_it_was():
    model, tokens = make_random_model(token_budget=3), make_random_tokens((COUNT,))[0]
    expected = subset_logits(model, tokens, drawn())
    assert torch.equal(subset_logits(model.train(), tokens, drawn()), expected)
    assert model.training


@pytest.mark.parametrize("pool", ["mean", "mean_norm", "attention"])
def test_models_without_class_token(pool):
    model = make_random_model(pool=pool)
    tokens, keep = make_random_tokens((COUNT,))[0], drawn()
    keep[1] = False
    logits = subset_logits(model, tokens, keep)
    assert torch.allclose(logits, one_by_one(model, tokens, keep), atol=1e-5)
