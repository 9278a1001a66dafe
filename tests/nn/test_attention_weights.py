"""Attention weights are the softmax that attention takes, in both layouts."""

import pytest
import torch

from helpers.models import EVEN, UNEVEN, make_random_model, make_random_tokens
from helpers.pictures import seeded
from spitgraph.nn import Attention, Packing, attention_weights, packed_attention_weights
from spitgraph.nn.packed_attention import attention, packed_attention

COUNTS, HEADS, WIDTH = (4, 1, 6), 3, 5


def rows(count, seed):
    return torch.randn(count, HEADS, WIDTH, generator=seeded(seed))


def naive(q, k, bias=None):
    """[heads, n, n] in loops, of [n, heads, d]."""
    n, heads, width = q.shape
    weights = torch.zeros(heads, n, n)
    for head in range(heads):
        for i in range(n):
            logits = torch.tensor([float(q[i, head] @ k[j, head]) for j in range(n)]) / width**0.5
            logits = logits if bias is None else logits + bias[head, i]
            weights[head, i] = logits.exp() / logits.exp().sum()
    return weights


def packing(bias=None):
    counts = torch.tensor(COUNTS)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    return Packing(offsets, torch.arange(3).repeat_interleave(counts), COUNTS, bias)


@pytest.mark.parametrize("with_bias", [False, True])
def test_packed_weights_are_the_softmax_of_the_formula(with_bias):
    q, k = rows(sum(COUNTS), 0), rows(sum(COUNTS), 1)
    pairs = sum(n * n for n in COUNTS)
    bias = torch.randn(HEADS, pairs, generator=seeded(2)) if with_bias else None
    found = packed_attention_weights(q, k, packing(bias))
    of_images = [None] * 3 if bias is None else bias.split([n * n for n in COUNTS], dim=1)
    for one, queries, keys, part in zip(
        found, q.split(COUNTS), k.split(COUNTS), of_images, strict=True
    ):
        n = len(queries)
        expected = naive(queries, keys, None if part is None else part.view(HEADS, n, n))
        assert torch.allclose(one, expected, atol=1e-6)
        assert torch.allclose(one.sum(-1), torch.ones(HEADS, n))


def test_packed_weights_times_values_are_packed_attention():
    q, k, v = (rows(sum(COUNTS), seed) for seed in range(3))
    where = packing(torch.randn(HEADS, sum(n * n for n in COUNTS), generator=seeded(3)))
    values = v.split(COUNTS)
    found = [
        (one @ value.transpose(0, 1)).transpose(0, 1)
        for one, value in zip(packed_attention_weights(q, k, where), values, strict=True)
    ]
    assert torch.allclose(torch.cat(found), packed_attention(q, k, v, where), atol=1e-6)


@pytest.mark.parametrize("kind", ["none", "boolean", "added"])
def test_weights_times_values_are_attention(kind):
    q, k, v = (torch.randn(2, HEADS, 6, WIDTH, generator=seeded(seed)) for seed in range(3))
    there = torch.arange(6) < torch.tensor([6, 4])[:, None]
    mask = {
        "none": None,
        "boolean": there[:, None, None],
        "added": torch.zeros(2, HEADS, 6, 6).masked_fill(~there[:, None, None], -torch.inf),
    }[kind]
    weights = attention_weights(q, k, mask)
    assert torch.allclose(weights @ v, attention(q, k, v, mask), atol=1e-6)
    if kind != "none":
        assert (weights[1, :, :, 4:] == 0).all()


def test_weights_of_few_bits_are_float32():
    q = torch.randn(1, 2, 4, 8, generator=seeded(0)).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        weights = attention_weights(q, q)
    assert weights.dtype == torch.float32
    assert torch.allclose(weights.sum(-1), torch.ones(1, 2, 4))


def test_heads_are_what_forward_attends_with():
    layer = Attention(12, 3, qk_norm=True)
    with torch.no_grad():
        layer.q_norm.weight.copy_(torch.rand(4, generator=seeded(0)))
    x = torch.randn(2, 5, 12, generator=seeded(1))
    q, k, v = (part.transpose(1, 2) for part in layer.heads(layer.qkv(x)))
    attended = (attention_weights(q, k) @ v).transpose(1, 2).flatten(-2)
    assert torch.allclose(layer.proj(attended), layer(x), atol=1e-6)


@pytest.mark.parametrize("counts", [UNEVEN, EVEN])
def test_models_answer_the_same_whether_or_not_they_are_watched(counts):
    from spitgraph.explain import recorded_attention

    model, tokens = make_random_model(graph_bias=True), make_random_tokens(counts)
    before = model.forward_tokens(tokens)
    with recorded_attention(model):
        assert torch.equal(model.forward_tokens(tokens), before)
    assert not any(module._forward_hooks for module in model.modules())
    assert not any(module._forward_pre_hooks for module in model.modules())
