"""Hooks read the attention weights of a forward pass: layer by layer, image by image."""

import pytest
import torch
from torch import nn

from helpers.models import EVEN, UNEVEN, make_random_model, make_random_tokens
from spitgraph.explain import NoAttentionError, recorded_attention, rollout


def layers_of(model, tokens, reduce=None):
    with torch.no_grad(), recorded_attention(model, reduce) as record:
        model.forward_tokens(tokens)
    return record.layers


@pytest.mark.parametrize("counts", [UNEVEN, EVEN])
@pytest.mark.parametrize("option", [None, "graph_bias", "size_bias", "qk_norm"])
def test_packed_and_padded_layouts_record_the_same(option, counts):
    options = {option: True} if option else {}
    tokens = make_random_tokens(counts)
    packed = layers_of(make_random_model(attention="packed", **options), tokens)
    padded = layers_of(make_random_model(attention="padded", **options), tokens)
    assert [[[*w.shape] for w in layer] for layer in packed] == [
        [[4, n + 1, n + 1] for n in counts]
    ] * 2
    for one, other in zip(packed, padded, strict=True):
        for weights, same in zip(one, other, strict=True):
            assert torch.allclose(weights, same, atol=1e-6)
            assert torch.allclose(weights.sum(-1), torch.ones(weights.shape[:2]))


def test_the_hop_bias_is_in_them():
    model, tokens = make_random_model(graph_bias=True), make_random_tokens((5,))
    with_bias = layers_of(model, tokens)[0][0]
    model.backbone.graph_bias = None
    without = layers_of(model, tokens)[0][0]
    assert not torch.allclose(with_bias, without, atol=1e-3)


def test_a_reduction_is_applied_at_once():
    model, tokens = make_random_model(), make_random_tokens(UNEVEN)
    whole, means = layers_of(model, tokens), layers_of(model, tokens, lambda w: w.mean(0))
    for one, other in zip(whole, means, strict=True):
        assert all(torch.equal(w.mean(0), m) for w, m in zip(one, other, strict=True))


def test_the_last_pass_counts():
    model = make_random_model()
    first, second = make_random_tokens((3,)), make_random_tokens((5, 2))
    with torch.no_grad(), recorded_attention(model) as record:
        model.forward_tokens(first)
        model.forward_tokens(second)
    assert [[w.shape[-1] for w in layer] for layer in record.layers] == [[6, 3]] * 2


def test_under_autocast_they_are_float32_and_nearly_the_same():
    model, tokens = make_random_model(), make_random_tokens((6,))
    plain = layers_of(model, tokens)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        short = layers_of(model, tokens)
    assert short[0][0].dtype == torch.float32
    assert torch.allclose(short[0][0], plain[0][0], atol=0.1)


class NoTransformer(nn.Module):
    def forward(self, sequences, edge_index=None):
        return sequences


def test_models_without_attention_are_refused(unchecked):
    model, tokens = make_random_model(), make_random_tokens((3,))[0]
    model.backbone = NoTransformer()
    with pytest.raises(NoAttentionError, match=r"no attention weights available: a NoTransformer"):
        rollout(model, tokens)


def test_passes_that_hooks_do_not_see_are_refused():
    model, tokens = make_random_model(), make_random_tokens((3,))[0]
    with recorded_attention(model) as record:
        pass
    with pytest.raises(NoAttentionError, match="saw no forward pass"):
        _ = record.layers
    model.backbone.blocks[1].forward = lambda x, scope=None: x  # as if a block kept to itself
    with pytest.raises(NoAttentionError, match="2 Attention modules, of which 1 told theirs"):
        rollout(model, tokens)
