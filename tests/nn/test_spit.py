"""The five parts together, and their training."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from spitgraph import PatchTokenizer, SuperpixelTokenizer, TokenData
from spitgraph.extractors import InterpolationExtractor
from spitgraph.nn import Backbone, Block, DropPath, Packing, SPiT, TokenEmbedder


@pytest.fixture(scope="module")
def spit():
    torch.manual_seed(0)
    extractor = InterpolationExtractor(bins=4)
    return SPiT(
        SuperpixelTokenizer(levels=2),
        extractor,
        TokenEmbedder(extractor.out_channels, 16),
        Backbone(16, 2, 4, init_values=1.0),
        nn.Linear(16, 5),
    ).eval()


@pytest.fixture(scope="module")
def pictures():
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(3, h, w, generator=generator) for h, w in ((12, 9), (8, 15), (8, 15))]


def test_images_in_logits_out(spit, pictures, assert_close):
    logits = spit(pictures)
    assert logits.shape == (3, 5)
    for image, row in zip(pictures, logits, strict=True):
        assert_close(spit(image), row[None])
    assert spit(torch.stack(pictures[1:])).shape == (2, 5)


def test_tokens_are_the_way_between(spit, pictures):
    tokens = spit.tokenize(pictures)
    assert torch.equal(spit.forward_tokens(tokens), spit(pictures))
    one = spit.tokenize(pictures[0])
    assert isinstance(one, TokenData)
    assert "ptr" not in one
    assert spit.forward_tokens(one).shape == (1, 5)
    features = spit.forward_features(tokens)
    assert torch.equal(spit.head(features.class_token), spit(pictures))
    assert features.tokens.shape == (tokens.num_nodes, 16)


def test_tokens_come_back_in_node_order(spit, pictures, assert_close):
    batch = spit.tokenize(pictures)
    features = spit.forward_features(batch)
    for i in range(3):
        alone = spit.forward_features(batch[i])
        assert_close(features.tokens[batch.batch == i], alone.tokens)
        assert_close(features.class_token[i], alone.class_token[0])


def test_dense_features_are_gathered_by_token(spit, pictures, assert_close):
    maps = spit.dense_features(pictures)  # mixed sizes
    assert [tuple(m.shape) for m in maps] == [(16, 12, 9), (16, 8, 15), (16, 8, 15)]
    for image, dense in zip(pictures, maps, strict=True):
        alone = spit.dense_features(image)
        assert_close(alone, dense)
        tokens = spit.tokenize(image)
        rows = spit.forward_features(tokens).tokens
        assert torch.equal(alone[:, 3, 5], rows[tokens.seg[0, 3, 5]])
    equal = spit.dense_features(pictures[1:])
    assert equal.shape == (2, 16, 8, 15)
    assert_close(equal, torch.stack(maps[1:]))


def test_dense_features_need_every_token(spit, pictures, monkeypatch):
    monkeypatch.setattr(spit.embedder, "token_budget", 2)
    assert spit.dense_features(pictures[0]).shape == (16, 12, 9)
    monkeypatch.setattr(spit.embedder, "training", True)
    with pytest.raises(ValueError, match="token budget"):
        spit.dense_features(pictures[0])


@pytest.mark.parametrize("attention", ["padded", "packed"])
def test_gradients_reach_every_parameter_and_a_step_lowers_the_loss(
    make_tokens, make_model, attention
):
    model = make_model(
        attention=attention, graph_bias=True, qkv_bias=True, qk_norm=True, pe=("pe", 2)
    ).train()
    batch, target = make_tokens(), torch.tensor([0, 1, 2, 3])
    batch.pe = torch.randn(batch.num_nodes, 2, generator=torch.Generator().manual_seed(0))
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)
    loss = cross_entropy(model.forward_tokens(batch), target)
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    assert (model.backbone.graph_bias.table.grad != 0).all()
    optimiser.step()
    assert cross_entropy(model.forward_tokens(batch), target) < loss


@pytest.mark.parametrize("attention", ["padded", "packed"])
def test_checkpointing_changes_no_gradient(make_model, make_tokens, attention):
    model = make_model(attention=attention, graph_bias=True, drop_path=0.5).train()
    batch, grads = make_tokens(), []
    for enable in (False, True):
        model.set_grad_checkpointing(enable)
        model.zero_grad()
        torch.manual_seed(0)
        model.forward_tokens(batch).square().sum().backward()
        grads.append([parameter.grad.clone() for parameter in model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*grads, strict=True))


def test_checkpointing_keeps_less(make_model, make_tokens):
    def kept(enable):
        model = make_model(depth=4).train()
        model.set_grad_checkpointing(enable)
        numbers = []

        def note(tensor):
            numbers.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            model.forward_tokens(make_tokens())
        return sum(numbers)

    assert kept(True) < kept(False) / 3


def _packing(counts):
    offsets = torch.tensor([0, *counts]).cumsum(0)
    image = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return Packing(offsets, image, list(counts))


def test_drop_path_drops_whole_images():
    drop, counts = DropPath(0.25).train(), [3, 1, 5] * 200
    packing = _packing(counts)
    torch.manual_seed(0)
    packed = drop(torch.ones(len(packing.image), 2), packing)
    images = packed.split(counts)
    assert all((rows == rows[0, 0]).all() for rows in images)
    kept = torch.stack([rows[0, 0] for rows in images])
    assert set(kept.unique().tolist()) == {0, torch.tensor(1 / 0.75).item()}
    assert abs(kept.mean() - 1) < 0.1
    torch.manual_seed(0)
    padded = drop(torch.ones(len(counts), 5, 2))
    assert torch.equal(padded[:, 0, 0], kept)
    assert torch.equal(padded, kept[:, None, None].expand_as(padded))
    assert torch.equal(drop.eval()(packed, packing), packed)


def test_both_layouts_drop_the_same_images(make_model, make_tokens, assert_close):
    logits = []
    for attention in ("padded", "packed"):
        torch.manual_seed(3)
        model = make_model(attention=attention, drop_path=0.5).train()
        logits.append(model.forward_tokens(make_tokens()))
    assert_close(*logits)
    assert not torch.allclose(logits[0], model.eval().forward_tokens(make_tokens()))


def test_drop_path_grows_with_depth():
    rates = [block.drop_path1.drop_prob for block in Backbone(8, 5, 2, drop_path=0.2).blocks]
    assert rates == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])
    with pytest.raises(ValueError, match="below 1"):
        DropPath(1.0)


def test_a_block_serves_ordinary_rows_too():
    assert Block(8, 2)(torch.rand(3, 5, 8)).shape == (3, 5, 8)


def test_parameters_have_the_names_that_all_vit_code_shares():
    backbone = Backbone(8, 1, 2, qkv_bias=True, qk_norm=True, graph_bias=True)
    layers = ["norm1", "attn.qkv", "attn.q_norm", "attn.k_norm", "attn.proj", "norm2"]
    layers += ["mlp.fc1", "mlp.fc2"]
    expected = {f"blocks.0.{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}
    expected |= {"blocks.0.ls1.gamma", "blocks.0.ls2.gamma", "norm.weight", "norm.bias"}
    assert set(backbone.state_dict()) == expected | {"graph_bias.table"}
    assert set(TokenEmbedder(4, 8).state_dict()) == {"linear.weight", "linear.bias", "cls_token"}
    assert "blocks.0.attn.qkv.bias" not in Backbone(8, 1, 2).state_dict()


def test_any_tokenizer_fits(pictures):
    extractor = InterpolationExtractor(bins=4, gradient=False)
    embedder = TokenEmbedder(extractor.out_channels, 8)
    model = SPiT(PatchTokenizer(4), extractor, embedder, Backbone(8, 1, 2), nn.Linear(8, 2))
    assert model.double()(pictures[1:]).dtype == torch.float64
