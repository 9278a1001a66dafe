"""Images of unequal counts in one batch: nobody sees anybody else's tokens, nor padding."""

import networkx as nx
import pytest
import torch
from torch.nn.functional import gelu, layer_norm

from helpers.models import EVEN, UNEVEN
from spitgraph.nn import Attention, Backbone, packed_attention
from spitgraph.nn.packed_attention import _packed_attention, looped_attention, nested_attention

LAYOUTS = ("padded", "packed")


def reference_logits(model, tokens):
    """METHOD 5, one image, in float64, from the parameters alone."""
    p = {name: value.double() for name, value in model.state_dict().items()}
    heads = model.backbone.num_heads

    def linear(x, name):
        return x @ p[f"{name}.weight"].T + p.get(f"{name}.bias", 0)

    def norm(x, name):
        return layer_norm(x, x.shape[-1:], p[f"{name}.weight"], p[f"{name}.bias"], 1e-6)

    x = torch.cat([p["embedder.cls_token"][0], linear(tokens.x.double(), "embedder.linear")])
    n, width = x.shape
    bias = torch.zeros(heads, n, n, dtype=torch.float64)
    if "backbone.graph_bias.table" in p:
        graph = nx.empty_graph(n - 1)
        graph.add_edges_from(tokens.edge_index.T.tolist())
        hops = torch.full((n, n), 4)  # pairs with the class token
        hops[1:, 1:] = 3
        for i, lengths in nx.all_pairs_shortest_path_length(graph, cutoff=2):
            for j, length in lengths.items():
                hops[i + 1, j + 1] = length
        bias = p["backbone.graph_bias.table"][:, hops]
    if model.backbone.size_bias:
        sizes = tokens["size"].double()
        bias = bias + torch.cat([torch.zeros(1), (sizes / sizes.mean()).log()])
    for i in range(len(model.backbone.blocks)):
        b = f"backbone.blocks.{i}"
        qkv = linear(norm(x, f"{b}.norm1"), f"{b}.attn.qkv").view(n, 3, heads, -1)
        q, k, v = qkv.permute(1, 2, 0, 3)  # [heads, n, d]
        if f"{b}.attn.q_norm.weight" in p:
            q, k = norm(q, f"{b}.attn.q_norm"), norm(k, f"{b}.attn.k_norm")
        attention = (q @ k.mT / (width / heads) ** 0.5 + bias).softmax(-1)
        out = linear((attention @ v).transpose(0, 1).reshape(n, width), f"{b}.attn.proj")
        x = x + p[f"{b}.ls1.gamma"] * out
        hidden = gelu(linear(norm(x, f"{b}.norm2"), f"{b}.mlp.fc1"))
        x = x + p[f"{b}.ls2.gamma"] * linear(hidden, f"{b}.mlp.fc2")
    return linear(norm(x, "backbone.norm")[:1], "head")


OPTIONS = (
    {},
    {"graph_bias": True},
    {"qkv_bias": True, "qk_norm": True},
    {"size_bias": True},
    {"size_bias": True, "graph_bias": True, "qk_norm": True},
)


@pytest.mark.parametrize("attention", LAYOUTS)
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "+".join(options) or "plain")
def test_logits_are_those_of_the_formulas(
    make_model, make_tokens, assert_close, options, attention
):
    model = make_model(attention=attention, **options)
    for counts in (UNEVEN, EVEN):
        batch = make_tokens(counts)
        expected = torch.cat([reference_logits(model, tokens) for tokens in batch.to_data_list()])
        assert_close(model.forward_tokens(batch), expected)


@pytest.mark.parametrize("graph_bias", [False, True])
def test_alone_padded_and_packed_agree(make_model, make_tokens, assert_close, graph_bias):
    batch = make_tokens(UNEVEN)
    padded, packed = (make_model(attention=a, graph_bias=graph_bias) for a in LAYOUTS)
    alone = torch.cat([packed.forward_tokens(tokens) for tokens in batch.to_data_list()])
    assert_close(padded.forward_tokens(batch), alone)
    assert_close(packed.forward_tokens(batch), alone)


@pytest.mark.parametrize("graph_bias", [False, True])
@pytest.mark.parametrize("attention", LAYOUTS)
@pytest.mark.parametrize("counts", [UNEVEN, EVEN], ids=["uneven", "even"])
def test_other_images_change_nothing_bit_for_bit(
    make_model, make_tokens, counts, attention, graph_bias
):
    model = make_model(attention=attention, graph_bias=graph_bias)
    batch = make_tokens(counts)
    before = model.forward_features(batch)
    others = batch.batch != 0
    for value in (3.0, 1e30, float("nan")):
        batch.x[others] = value
        after = model.forward_features(batch)
        assert torch.equal(after.class_token[0], before.class_token[0])
        assert torch.equal(after.tokens[~others], before.tokens[~others])
        assert not torch.equal(after.class_token[1], before.class_token[1])


@pytest.mark.parametrize("graph_bias", [False, True])
def test_layouts_have_the_same_gradients(make_model, make_tokens, assert_close, graph_bias):
    batch = make_tokens(UNEVEN)
    grads = []
    for attention in LAYOUTS:
        model = make_model(attention=attention, graph_bias=graph_bias)
        model.forward_tokens(batch).square().sum().backward()
        grads.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert_close(grads[0] / grads[0].abs().max(), grads[1] / grads[0].abs().max())


def test_equal_counts_need_neither_mask_nor_padding(make_model, make_tokens, monkeypatch):
    calls = []

    def spy(q, k, v, attn_mask=None):
        calls.append((tuple(q.shape[:3]), attn_mask))
        return q

    monkeypatch.setattr(packed_attention, "scaled_dot_product_attention", spy)
    for attention in ("auto", *LAYOUTS):
        make_model(attention=attention).forward_tokens(make_tokens(EVEN))
    assert calls == [((3, 4, 7), None)] * 6


def test_auto_goes_by_device_and_unevenness():
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    auto, padded, packed = (Backbone(8, 1, 2, attention=a) for a in ("auto", "padded", "packed"))
    assert auto.packs([5, 6], cpu)
    assert not auto.packs([6, 6], cpu)
    assert not auto.packs([95, 100], cuda)
    assert auto.packs([60, 400], cuda)
    assert not padded.packs([60, 400], cpu)
    assert packed.packs([95, 100], cuda)
    assert not packed.packs([100, 100], cuda)


def _qkv(counts, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    shape = (3, sum(counts), 2, 4)
    rows = torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()
    pairs = sum(count**2 for count in counts)
    bias = torch.randn(2, pairs, generator=generator, dtype=dtype).requires_grad_()
    offsets = torch.tensor([0, *counts]).cumsum(0)
    return rows, offsets, bias


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("counts", [UNEVEN, EVEN], ids=["uneven", "even"])
def test_the_compiled_operator_has_the_gradients_of_the_loop(assert_close, counts, with_bias):
    results = []
    for operator in (True, False):
        rows, offsets, bias = _qkv(counts, torch.float64)
        bias = bias if with_bias else None
        if operator:
            out = _packed_attention(*rows.unbind(), offsets, bias)
        else:
            out = looped_attention(*rows.unbind(), list(counts), bias)
        weights = torch.arange(out.numel()).view(out.shape).cos()
        (out * weights).sum().backward()
        results.append((out, rows.grad, bias.grad if with_bias else out))
    for one, other in zip(*results, strict=True):
        assert_close(one, other, 1e-12)


@pytest.mark.filterwarnings("ignore:.*nested tensors is in prototype")
def test_nested_tensors_give_the_same(assert_close):
    rows, offsets, _ = _qkv(UNEVEN)
    q, k, v = rows.unbind()
    expected = looped_attention(q, k, v, list(UNEVEN), None)
    assert_close(nested_attention(q, k, v, offsets, list(UNEVEN)), expected)


def test_half_precision_is_near(make_model, make_tokens, assert_close):
    for counts in (UNEVEN, EVEN):
        for attention in LAYOUTS:
            model = make_model(attention=attention, graph_bias=True, qk_norm=True)
            batch = make_tokens(counts)
            exact = model.forward_tokens(batch)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                near = model.forward_tokens(batch)
                near.float().sum().backward()
            assert near.dtype == torch.bfloat16
            assert_close(near / exact.abs().max(), exact / exact.abs().max(), 0.05)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="num_heads=3 does not divide dim=16"):
        Attention(16, 3)
    with pytest.raises(ValueError, match="attention must be one of 'auto', 'padded', 'packed'"):
        Backbone(16, 1, 2, attention="dense")
    with pytest.raises(ValueError, match="drop_path"):
        Backbone(16, 1, 2, drop_path=1.5)
