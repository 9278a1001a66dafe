"""The hop bias: distances in the region graph, and what they change."""

import networkx as nx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.utils import to_networkx

from spitgraph.nn import GraphBias
from spitgraph.nn.graph_bias import CLASS, PADDING, packed_hops, padded_hops, rows_of_nodes
from spitgraph.nn.sequences import pack


def expected_hops(tokens, kept):
    """Of one image: columns of the table for the class token and the kept nodes."""
    graph = to_networkx(tokens, to_undirected=True)
    hops = torch.full((len(kept) + 1, len(kept) + 1), CLASS)
    for i, source in enumerate(kept):
        lengths = nx.single_source_shortest_path_length(graph, source)
        hops[i + 1, 1:] = torch.tensor([min(lengths.get(target, 3), 3) for target in kept])
    return hops


@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    drops=st.booleans(),
)
def test_distances_are_those_of_networkx(make_tokens, counts, seed, drops):
    batch = make_tokens(counts, seed)
    generator = torch.Generator().manual_seed(seed)
    keeps = torch.rand(batch.num_nodes, generator=generator) < (0.6 if drops else 2)
    kept = keeps.nonzero().flatten() if drops else None
    per_image = torch.stack([part.sum() for part in keeps.split(counts)])
    vectors = torch.zeros(int(keeps.sum()), 2)
    sequences = pack(vectors, torch.zeros(1, 2), per_image, batch.num_nodes, kept)
    rows, offsets = rows_of_nodes(sequences), sequences.offsets

    packed = packed_hops(batch.edge_index, rows, offsets)
    sizes = (per_image + 1).square().tolist()
    length = int(per_image.max()) + 3
    padded = padded_hops(batch.edge_index, rows, offsets, length)
    for i, (image, part) in enumerate(zip(packed.split(sizes), keeps.split(counts), strict=True)):
        expected = expected_hops(batch[i], part.nonzero().flatten().tolist())
        n = len(expected)
        assert torch.equal(image.view(n, n), expected)
        assert torch.equal(padded[i, :n, :n], expected)
        assert (padded[i, :, n:] == PADDING).all()
        assert (padded[i, :, :n] != PADDING).all()


@pytest.mark.parametrize("attention", ["padded", "packed"])
def test_a_zero_bias_changes_nothing(make_model, make_tokens, assert_close, attention):
    plain = make_model(attention=attention)
    biased = make_model(attention=attention, graph_bias=True)
    biased.load_state_dict(plain.state_dict(), strict=False)
    batch = make_tokens()
    biased.backbone.graph_bias.table.data.zero_()
    assert_close(biased.forward_tokens(batch), plain.forward_tokens(batch), 2e-6)
    for column in range(5):
        biased.backbone.graph_bias.table.data.zero_()[:, column] = 1
        assert not torch.allclose(biased.forward_tokens(batch), plain.forward_tokens(batch))


def test_it_starts_at_zero():
    assert not GraphBias(3).table.any()


def test_a_missing_graph_is_named(make_model, make_tokens):
    tokens = make_tokens((4, 5))
    del tokens.edge_index
    with pytest.raises(ValueError, match="no edge_index"):
        make_model(graph_bias=True).forward_tokens(tokens)
    make_model().forward_tokens(tokens)
