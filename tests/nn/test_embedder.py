"""γ: class token first, tokens in node order, as many as the budget leaves."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric import transforms as T
from torch_geometric.data import Batch

from spitgraph import PatchTokenizer
from spitgraph.nn import TokenEmbedder
from spitgraph.nn.embedder import draw_nodes


def test_sequences_are_class_token_then_tokens(make_tokens):
    batch = make_tokens((3, 1, 4))
    embedder = TokenEmbedder(12, 16)
    sequences = embedder(batch)
    vectors = embedder.linear(batch.x)
    expected = torch.cat(
        [row for part in vectors.split([3, 1, 4]) for row in (embedder.cls_token[0], part)]
    )
    assert torch.allclose(sequences.x, expected, atol=1e-6)
    assert sequences.counts == [4, 2, 5]
    assert sequences.offsets.tolist() == [0, 4, 6, 11]
    assert sequences.image.tolist() == [0] * 4 + [1] * 2 + [2] * 5
    assert torch.allclose(sequences.tokens, vectors, atol=1e-6)
    assert torch.equal(sequences.class_tokens, embedder.cls_token[0].expand(3, -1))
    x, is_token = sequences.padded(6)
    assert x.shape == (3, 6, 16)
    assert is_token.sum(dim=1).tolist() == [4, 2, 5]
    assert torch.equal(x[is_token], sequences.x)
    assert not x[~is_token].any()


def test_one_image_is_a_batch_of_one(make_tokens):
    batch = make_tokens((5,))
    embedder = TokenEmbedder(12, 16)
    alone, together = embedder(batch[0]), embedder(batch)
    assert torch.equal(alone.x, together.x)
    assert torch.equal(alone.offsets, together.offsets)


@given(
    counts=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    budget=st.integers(1, 9),
    seed=st.integers(0, 100),
)
def test_a_budget_draws_without_replacement(counts, budget, seed):
    ptr = torch.tensor([0, *counts]).cumsum(0)
    kept = draw_nodes(ptr, budget, torch.Generator().manual_seed(seed))
    assert torch.equal(kept, kept.unique())
    image = torch.bucketize(kept, ptr[1:], right=True)
    expected = [min(count, budget) for count in counts]
    assert torch.bincount(image, minlength=len(counts)).tolist() == expected
    again = draw_nodes(ptr, budget, torch.Generator().manual_seed(seed))
    assert torch.equal(kept, again)


def test_a_budget_draws_uniformly():
    generator = torch.Generator().manual_seed(0)
    ptr = torch.tensor([0, 4, 10])
    drawn = torch.cat([draw_nodes(ptr, 3, generator) for _ in range(300)])
    frequency = torch.bincount(drawn, minlength=10) / 300
    assert torch.allclose(frequency, torch.tensor([0.75] * 4 + [0.5] * 6), atol=0.1)


def test_the_budget_holds_in_training_only_and_spares_the_class_token(make_model, make_tokens):
    model, batch = make_model(token_budget=3, graph_bias=True), make_tokens((7, 2, 5))
    assert model.forward_features(batch).kept is None
    model.train()
    features = model.forward_features(batch, torch.Generator().manual_seed(4))
    assert features.class_token.shape == (3, 16)
    assert len(features.tokens) == len(features.kept) == 3 + 2 + 3
    again = model.forward_features(batch, torch.Generator().manual_seed(4))
    assert torch.equal(features.kept, again.kept)
    assert torch.equal(features.tokens, again.tokens)
    other = model.forward_features(batch, torch.Generator().manual_seed(5))
    assert not torch.equal(features.kept, other.kept)
    sequences = model.embedder(batch, torch.Generator().manual_seed(4))
    assert torch.equal(sequences.class_tokens, model.embedder.cls_token[0].expand(3, -1))
    vectors = model.embedder.linear(batch.x)[features.kept]
    assert torch.allclose(sequences.tokens, vectors, atol=1e-6)


@pytest.mark.parametrize(
    ("transform", "name"),
    [
        (T.AddRandomWalkPE(3), "random_walk_pe"),
        (T.AddLaplacianEigenvectorPE(3, is_undirected=True), "laplacian_eigenvector_pe"),
    ],
)
def test_positional_encodings_of_pyg_are_added(transform, name):
    images = [torch.rand(3, 8, 12), torch.rand(3, 12, 12)]
    tokens = [transform(PatchTokenizer(4)(image)) for image in images]
    for graph in tokens:
        graph.x = graph.pos
    batch = Batch.from_data_list(tokens)
    embedder = TokenEmbedder(2, 16, pe_name=name, pe_dim=3)
    plain = embedder.linear(batch.x)
    assert torch.allclose(embedder(batch).tokens, plain, atol=1e-6)  # zero at first
    torch.nn.init.normal_(embedder.pe_linear.weight)
    expected = plain + embedder.pe_linear(batch[name])
    assert torch.allclose(embedder(batch).tokens, expected, atol=1e-5)
    embedder.token_budget = 4
    sequences = embedder(batch)
    assert torch.allclose(sequences.tokens, expected[sequences.kept], atol=1e-5)


def test_what_is_missing_or_misshapen_is_named(make_tokens):
    batch = make_tokens((2, 3))
    embedder = TokenEmbedder(12, 16)
    with pytest.raises(ValueError, match=r"expected x of shape \[N, 10\], got \[5, 12\]"):
        TokenEmbedder(10, 16)(batch)
    with pytest.raises(ValueError, match="no random_walk_pe"):
        TokenEmbedder(12, 16, pe_name="random_walk_pe", pe_dim=4)(batch)
    del batch.x
    with pytest.raises(ValueError, match="no x: an extractor sets it"):
        embedder(batch)
    with pytest.raises(ValueError, match="no x: an extractor sets it"):
        embedder(PatchTokenizer(4)(torch.rand(3, 8, 8)))


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="token_budget must be at least 1"):
        TokenEmbedder(12, 16, token_budget=0)
    with pytest.raises(ValueError, match="pe_name and pe_dim go together"):
        TokenEmbedder(12, 16, pe_name="random_walk_pe")


def test_something_else_is_refused(unchecked):
    with pytest.raises(TypeError, match="expected TokenData"):
        TokenEmbedder(12, 16)(torch.rand(3, 12))
