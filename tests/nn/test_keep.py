"""Tokens left out are as if they had never been there."""

import pytest
import torch
from torch_geometric.data import Batch

from helpers.models import UNEVEN, make_random_model, make_random_tokens
from helpers.pictures import seeded

LAYOUTS = ("packed", "padded")


def some(count, seed=0):
    return torch.rand(count, generator=seeded(seed)) < 0.6


def remaining(tokens, keep):
    """The token graphs of a batch without the others, made anew."""
    parts = keep.split(tokens.ptr.diff().tolist())
    images = tokens.to_data_list()
    return Batch.from_data_list(
        [image.subgraph(part) for image, part in zip(images, parts, strict=True)]
    )


@pytest.mark.parametrize("graph_bias", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_equals_the_model_on_the_remaining_tokens_alone(layout, graph_bias):
    model = make_random_model(attention=layout, graph_bias=graph_bias)
    tokens = make_random_tokens()
    keep = some(sum(UNEVEN))
    features = model.forward_features(tokens, keep=keep)
    alone = model.forward_features(remaining(tokens, keep))
    assert torch.equal(features.class_token, alone.class_token)
    assert torch.equal(features.tokens, alone.tokens)
    assert features.kept.tolist() == keep.nonzero().flatten().tolist()


def test_of_one_image():
    model, tokens = make_random_model(), make_random_tokens((9,))[0]
    keep = some(9)
    alone = model.forward_tokens(tokens.subgraph(keep))
    assert torch.equal(model.forward_tokens(tokens, keep=keep), alone)


def test_all_and_none():
    model, tokens = make_random_model(), make_random_tokens()
    every, none = torch.ones(sum(UNEVEN), dtype=torch.bool), torch.zeros(sum(UNEVEN), dtype=bool)
    assert torch.equal(model.forward_tokens(tokens, keep=every), model.forward_tokens(tokens))
    logits = model.forward_tokens(tokens, keep=none)  # of the class token alone
    assert torch.isfinite(logits).all()
    assert torch.allclose(logits, logits[:1].expand_as(logits))


def test_values_of_what_is_left_out_do_not_matter():
    model, tokens = make_random_model(graph_bias=True), make_random_tokens()
    keep = some(sum(UNEVEN))
    before = model.forward_tokens(tokens, keep=keep)
    tokens.x = tokens.x.masked_fill(~keep[:, None], torch.nan)
    assert torch.equal(model.forward_tokens(tokens, keep=keep), before)


def test_a_token_budget_draws_from_what_is_kept():
    model = make_random_model(token_budget=3).train()
    tokens, keep = make_random_tokens(), some(sum(UNEVEN))
    features = model.forward_features(tokens, seeded(0), keep=keep)
    counts = [min(3, int(part.sum())) for part in keep.split(list(UNEVEN))]
    assert torch.bincount(tokens.batch[features.kept], minlength=len(counts)).tolist() == counts
    assert keep[features.kept].all()


@pytest.mark.parametrize(
    ("keep", "error"),
    [
        (torch.ones(3, dtype=torch.bool), ValueError),
        (torch.ones(sum(UNEVEN)), ValueError),
        ([True] * sum(UNEVEN), TypeError),
    ],
)
def test_refuses_what_is_no_mask_of_the_tokens(keep, error):
    with pytest.raises(error, match="keep"):
        make_random_model().forward_tokens(make_random_tokens(), keep=keep)
