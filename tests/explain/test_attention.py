"""Rollout, flow and plain attention, by hand and against others."""

import networkx
import pytest
import torch

from helpers.models import FEATURES, UNEVEN, WIDTH, make_random_model, make_random_tokens
from helpers.pictures import seeded
from spitgraph.explain import attention, attention_flow, recorded_attention, rollout
from spitgraph.explain.flow import maximum_flows
from spitgraph.explain.layers import Layers, with_residual
from spitgraph.explain.rollout import rolled_out
from spitgraph.nn import TokenEmbedder

#: The class token and two others, two layers; rows add up to 1.
FIRST = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]])
SECOND = torch.tensor([[0.2, 0.5, 0.3], [0.4, 0.3, 0.3], [0.1, 0.1, 0.8]])
CLASS = torch.tensor([1.0, 0.0, 0.0])


def worked(reader=CLASS):
    return Layers([FIRST, SECOND], reader, torch.tensor([1, 2]), target=0)


def test_rollout_by_hand():
    # .2·(.5 .3 .2) + .5·(.1 .6 .3) + .3·(.2 .2 .6)
    assert torch.allclose(rolled_out(worked()), torch.tensor([0.21, 0.42, 0.37]))


def test_flow_by_hand():
    # over the rows between: to the first token min(.2, .3) + min(.5, .6) + min(.3, .2), to the
    # second min(.2, .2) + min(.5, .3) + min(.3, .6)
    assert torch.allclose(maximum_flows(worked()), torch.tensor([0.9, 0.8]))


def test_flow_of_one_layer_is_its_attention():
    layers = Layers([SECOND], CLASS, torch.tensor([1, 2]), target=0)
    assert torch.allclose(maximum_flows(layers), SECOND[0, 1:])


def test_the_residual_share_by_hand():
    # twice (.5 .3 .2)·.9 + .1 on the diagonal, rows of another sum made 1
    assert torch.allclose(with_residual(FIRST, 0.1)[0], torch.tensor([0.55, 0.27, 0.18]))
    uneven = torch.tensor([[0.5, 1.0], [0.0, 1.0]])
    assert torch.allclose(with_residual(uneven, 0.0)[0], torch.tensor([1 / 3, 2 / 3]))
    assert torch.equal(with_residual(FIRST, 1.0), torch.eye(3))


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("has_class_token", [True, False])
def test_flow_agrees_with_networkx(depth, has_class_token):
    n, generator = 5, seeded(depth)
    matrices = [
        (3 * torch.randn(n, n, generator=generator)).softmax(-1).double() for _ in range(depth)
    ]
    reader = torch.zeros(n).index_fill(0, torch.tensor([0]), 1.0)
    rows = torch.arange(1, n)
    if not has_class_token:
        reader, rows = torch.full((n,), 1 / n), torch.arange(n)
    graph = networkx.DiGraph()
    for i in range(n):
        graph.add_edge("source", (depth, i), capacity=float(reader[i]))
    for layer, matrix in enumerate(matrices, start=1):
        for i in range(n):
            for j in range(n):
                graph.add_edge((layer, i), (layer - 1, j), capacity=float(matrix[i, j]))
    expected = [networkx.maximum_flow_value(graph, "source", (0, row)) for row in rows.tolist()]
    found = maximum_flows(Layers(matrices, reader, rows, target=0))
    assert torch.allclose(found, torch.tensor(expected), atol=1e-6)


def uniform_model(**options):
    """Every row attends to all alike."""
    model = make_random_model(**options)
    for block in model.backbone.blocks:
        block.attn.qkv.weight.data.zero_()
    return model


def test_rollout_of_tokens_that_attend_to_all_alike():
    # (.9·J/n + .1·I)² = J/n·(1 − .1²) + I·.1², with a class token n is 4
    found = rollout(uniform_model(), make_random_tokens((3,))[0])
    assert torch.allclose(found.tokens, torch.full((3,), (1 - 0.01) / 4))


def test_rollout_of_a_model_is_the_product_of_its_layers():
    model, tokens = make_random_model(depth=3), make_random_tokens((6,))[0]
    with torch.no_grad(), recorded_attention(model) as record:
        model.forward_tokens(tokens)
    for head_fusion, fuse in (("mean", lambda w: w.mean(0)), ("max", lambda w: w.amax(0))):
        product = torch.eye(7)
        for (weights,) in record.layers:
            mixed = 0.7 * fuse(weights) + 0.3 * torch.eye(7)
            product = mixed / mixed.sum(-1, keepdim=True) @ product
        found = rollout(model, tokens, head_fusion=head_fusion, residual=0.3)
        assert torch.allclose(found.tokens, product[0, 1:], atol=1e-6)
        assert found.tokens.sum() < 1


def test_plain_attention_is_the_class_tokens_row():
    model, tokens = make_random_model(), make_random_tokens((6,))[0]
    with torch.no_grad(), recorded_attention(model) as record:
        model.forward_tokens(tokens)
    for layer in (0, 1, -1, -2):
        expected = record.layers[layer][0].mean(0)[0, 1:]
        assert torch.allclose(attention(model, tokens, layer=layer).tokens, expected)
    for layer in (2, -3):
        with pytest.raises(ValueError, match=r"layer must be in -2 … 1"):
            attention(model, tokens, layer=layer)


@pytest.mark.parametrize("method", [rollout, attention_flow, attention])
def test_one_token_has_a_score(method):
    found = method(make_random_model(), make_random_tokens((1,))[0])
    assert found.tokens.shape == (1,)
    assert 0 < float(found.tokens) <= 1


@pytest.mark.parametrize("method", [rollout, attention_flow, attention])
def test_tokens_that_are_alike_score_alike(method):
    tokens = make_random_tokens((4,))[0]
    tokens.x = tokens.x[:1].expand(4, -1).contiguous()
    scores = method(make_random_model(), tokens).tokens
    assert torch.allclose(scores, scores[:1].expand(4), atol=1e-6)


@pytest.mark.parametrize("method", [rollout, attention_flow, attention])
def test_an_images_scores_do_not_depend_on_its_batch(method):
    model, batch = make_random_model(graph_bias=True), make_random_tokens(UNEVEN)
    together = method(model, batch)
    assert len(together) == len(UNEVEN)
    for one, tokens in zip(together, batch.to_data_list(), strict=True):
        assert torch.equal(one.tokens, method(model, tokens).tokens)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"head_fusion": "min"}, "head_fusion must be one of 'mean', 'max'"),
        ({"residual": 1.5}, r"residual must be in \[0, 1\]"),
    ],
)
@pytest.mark.parametrize("method", [rollout, attention_flow])
def test_what_is_out_of_range_is_refused(method, options, message):
    with pytest.raises(ValueError, match=message):
        method(make_random_model(), make_random_tokens((3,))[0], **options)


# ---- other models than those with a class token --------------------------------------------------


def model_without_class_token(pool="mean", registers=0):
    model = make_random_model(pool=pool)
    model.embedder = TokenEmbedder(FEATURES, WIDTH, class_token=False, registers=registers)
    return model


@pytest.mark.parametrize("pool", ["mean", "attention"])
@pytest.mark.parametrize("registers", [0, 2])
def test_without_class_token_the_tokens_rows_are_averaged(pool, registers):
    model, tokens = model_without_class_token(pool, registers), make_random_tokens((5,))[0]
    with torch.no_grad(), recorded_attention(model) as record:
        model.forward_tokens(tokens)
    product = torch.eye(5 + registers)
    for (weights,) in record.layers:
        product = with_residual(weights.mean(0), 0.1) @ product
    expected = product[registers:].mean(0)[registers:]
    assert torch.allclose(rollout(model, tokens).tokens, expected, atol=1e-6)
    last = record.layers[-1][0].mean(0)[registers:].mean(0)[registers:]
    assert torch.allclose(attention(model, tokens).tokens, last, atol=1e-6)
    assert torch.isfinite(attention_flow(model, tokens).tokens).all()


def test_a_class_token_that_is_not_read_has_no_say():
    model, tokens = make_random_model(pool="mean"), make_random_tokens((5,))[0]
    with torch.no_grad(), recorded_attention(model) as record:
        model.forward_tokens(tokens)
    expected = record.layers[-1][0].mean(0)[1:].mean(0)[1:]
    assert torch.allclose(attention(model, tokens).tokens, expected, atol=1e-6)
