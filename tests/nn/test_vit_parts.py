"""What pretrained vision transformers have beside the parts of METHOD 5."""

import pytest
import torch
from torch.nn import functional
from torch_geometric.data import Batch

from helpers.models import UNEVEN, VIT_KINDS, make_random_model, make_random_tokens
from helpers.pictures import seeded
from helpers.vits import plain_vit, random_vit
from spitgraph import PatchTokenizer, TokenData
from spitgraph.nn import Mlp, TokenEmbedder
from spitgraph.nn.pool import AttentionPool, MeanPool
from spitgraph.nn.positions import sampled_positions
from spitgraph.nn.sequences import pack


@pytest.fixture(params=VIT_KINDS)
def kind(request):
    return VIT_KINDS[request.param]


def some(count, seed=0):
    return torch.rand(count, generator=seeded(seed)) < 0.6


# ---- all options together ------------------------------------------------------------------------


@pytest.mark.parametrize("graph_bias", [False, True])
def test_both_layouts_and_an_image_alone_give_the_same(kind, graph_bias, assert_close):
    tokens, answers = make_random_tokens(), []
    for layout in ("packed", "padded"):
        model = make_random_model(attention=layout, graph_bias=graph_bias, **kind)
        answers.append(model.forward_features(tokens))
    for one, other in zip(answers[0][:2], answers[1][:2], strict=True):
        assert_close(one, other)
    alone = torch.cat(
        [model.forward_features(image).class_token for image in tokens.to_data_list()]
    )
    assert_close(answers[0].class_token, alone)
    assert answers[0].tokens.shape[0] == sum(UNEVEN)


@pytest.mark.parametrize("graph_bias", [False, True])
def test_what_is_left_out_is_as_if_it_had_never_been_there(kind, graph_bias):
    model, tokens = make_random_model(graph_bias=graph_bias, **kind), make_random_tokens()
    keep = some(sum(UNEVEN))
    features = model.forward_features(tokens, keep=keep)
    parts = keep.split(list(UNEVEN))
    images = zip(tokens.to_data_list(), parts, strict=True)
    alone = model.forward_features(Batch.from_data_list([g.subgraph(part) for g, part in images]))
    assert torch.equal(features.class_token, alone.class_token)
    assert torch.equal(features.tokens, alone.tokens)


@pytest.mark.parametrize("layout", ["packed", "padded"])
def test_no_token_at_all_is_defined(kind, layout):
    model, tokens = make_random_model(attention=layout, **kind), make_random_tokens()
    none = torch.zeros(sum(UNEVEN), dtype=torch.bool)
    logits = model.forward_tokens(tokens, keep=none)
    assert logits.isfinite().all()
    assert torch.allclose(logits, logits[:1].expand_as(logits), atol=1e-5)
    none[0] = True  # of one image alone
    assert model.forward_tokens(tokens, keep=none).isfinite().all()


def test_a_token_budget_and_gradients(kind):
    model = make_random_model(token_budget=3, **kind).train()
    features = model.forward_features(make_random_tokens(), seeded(0))
    assert len(features.tokens) == sum(min(3, count) for count in UNEVEN)
    features.class_token.square().sum().backward()
    for name, parameter in model.named_parameters():
        # what is pooled after the last block goes past its own head, and norms that nobody reads
        if not name.startswith(("head.", "backbone.norm.")):
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    assert model.embedder.position_table is None or model.embedder.position_table.grad.any()


# ---- registers, class token ----------------------------------------------------------------------


def test_registers_follow_the_class_token():
    embedder = TokenEmbedder(12, 16, registers=2)
    tokens = make_random_tokens((3, 1))
    sequences = embedder(tokens)
    prefix = torch.cat([embedder.cls_token[0], embedder.reg_token[0]])
    vectors = embedder.linear(tokens.x)
    expected = torch.cat([prefix, vectors[:3], prefix, vectors[3:]])
    assert torch.allclose(sequences.x, expected, atol=1e-6)
    assert sequences.counts == [6, 4]
    assert sequences.node_rows.tolist() == [3, 4, 5, 9]
    assert torch.equal(sequences.class_tokens, embedder.cls_token[0].expand(2, -1))
    assert sequences.node_image.tolist() == [0, 0, 0, 1]


def test_there_may_be_no_class_token():
    embedder = TokenEmbedder(12, 16, class_token=False)
    tokens = make_random_tokens((3, 1))
    sequences = embedder(tokens)
    assert torch.equal(sequences.x, embedder.linear(tokens.x))
    assert "cls_token" not in embedder.state_dict()
    with pytest.raises(ValueError, match="no class token: pool their tokens"):
        _ = sequences.class_tokens


def test_hops_to_registers_are_those_to_the_class_token():
    model = make_random_model(registers=2, graph_bias=True)
    tokens = make_random_tokens((2,))
    bias = model.backbone.graph_bias
    sequences = model.embedder(tokens)
    packed = bias.packed(sequences, tokens.edge_index).view(4, 5, 5)
    assert torch.equal(packed[:, :3], bias.table[:, 4, None, None].expand(4, 3, 5))
    assert torch.equal(packed[:, :, :3], bias.table[:, 4, None, None].expand(4, 5, 3))
    assert torch.equal(packed[:, 3, 3], bias.table[:, 0])
    assert torch.equal(bias.padded(sequences, tokens.edge_index, 5)[0], packed)


# ---- positions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", [(1, 1), (2, 5), (37, 37)])
@pytest.mark.parametrize("patch", [1, 3, 14])
def test_a_patch_of_the_grid_has_its_own_position(grid, patch):
    table = torch.randn(1, *grid, 3, generator=seeded(0))
    tokens = PatchTokenizer(patch)(torch.zeros(3, grid[0] * patch, grid[1] * patch))
    size = tokens.image_size.expand(len(tokens.pos), -1)
    assert torch.equal(sampled_positions(table, tokens.pos, size), table[0].flatten(0, 1))


def test_positions_between_patches_are_interpolated():
    table = torch.tensor([[0.0, 1.0], [10.0, 11.0]]).view(1, 2, 2, 1)
    places = {
        (1.5, 1.5): 5.5,  # the middle of 4×4 pixels
        (1.0, 0.5): 0.25,
        (0.5, 1.0): 2.5,
        (0.0, 0.0): 0.0,  # beyond the middle of the first patch: clamped
        (3.0, 3.0): 11.0,
    }
    size = torch.tensor([[4, 4]]).expand(len(places), -1)
    came = sampled_positions(table, torch.tensor(list(places)), size)
    assert came.flatten().tolist() == list(places.values())


def test_positions_scale_with_the_image():
    embedder = TokenEmbedder(1, 4, position_grid=(2, 2))
    torch.nn.init.zeros_(embedder.linear.weight)
    for size in ((4, 4), (10, 6)):
        middle = torch.tensor([[(size[1] - 1) / 2, (size[0] - 1) / 2]])
        tokens = TokenData(x=torch.ones(1, 1), pos=middle, image_size=torch.tensor([size]))
        mean = embedder.position_table.mean((1, 2)) + embedder.linear.bias
        assert torch.allclose(embedder(tokens).tokens, mean, atol=1e-6)
    with pytest.raises(ValueError, match="no pos: a tokenizer sets it"):
        embedder(TokenData(x=torch.ones(1, 1)))


# ---- activations and pools -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("gelu", functional.gelu),
        ("quick_gelu", lambda x: x / (1 + torch.exp(-1.702 * x))),
        ("gelu_tanh", lambda x: functional.gelu(x, approximate="tanh")),
    ],
)
def test_activations_by_name(name, function):
    x = torch.linspace(-5, 5, 101)
    assert torch.allclose(Mlp(2, 3, name).act(x), function(x), atol=1e-6)


def sequences_of(x, counts, num_prefix):
    """Packed rows of images of so many tokens each, behind zeros."""
    return pack(x, torch.zeros(num_prefix, x.shape[1]), torch.tensor(counts), len(x))


def test_a_mean_is_of_tokens_alone():
    x = torch.arange(8.0).view(4, 2)
    sequences = sequences_of(x, [3, 0, 1], num_prefix=2)
    assert MeanPool(2)(sequences).tolist() == [[2.0, 3.0], [0.0, 0.0], [6.0, 7.0]]


def test_attention_pool_is_that_of_pytorch():
    pool = AttentionPool(8, 2)
    for parameter in pool.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        attention.in_proj_weight.copy_(torch.cat([pool.q.weight, pool.kv.weight]))
        attention.in_proj_bias.copy_(torch.cat([pool.q.bias, pool.kv.bias]))
        attention.out_proj.load_state_dict(pool.proj.state_dict())
        x = torch.randn(7, 8, generator=seeded(0))
        came = pool(sequences_of(x, [2, 5], num_prefix=0))
        for image, rows in enumerate(x.split([2, 5])):
            y = attention(pool.latent, rows[None], rows[None])[0][0, 0]
            expected = y + pool.mlp(pool.norm(y))
            assert torch.allclose(came[image], expected, atol=1e-5)


def test_the_oracle_is_sensitive_to_every_parameter():
    """Of the plain ViT that `from_vit` is tested against: no weight may be overlooked."""
    for options in ({"layer_scale": True, "norm_pre": True}, {"pool": "attention", "prefix": ()}):
        state = random_vit(**options)
        images = torch.rand(1, 3, 16, 16, generator=seeded(0))
        logits = plain_vit(state, images).logits
        for key, value in state.items():
            if key.endswith("kv.bias"):  # half of which shifts all logits alike
                continue
            changed = plain_vit(state | {key: value + torch.rand(value.shape)}, images).logits
            assert not torch.allclose(changed, logits, atol=1e-4), key
