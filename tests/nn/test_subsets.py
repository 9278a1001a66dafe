"""Subsets of one image's tokens are sequences of their own."""

import pytest
import torch
from torch_geometric.data import Batch

from helpers.models import make_random_model, make_random_tokens
from helpers.pictures import seeded
from spitgraph.nn.subsets import subset_edges, subset_sequences

COUNT = 9


def drawn(subsets=6, count=COUNT):
    keep = torch.rand(subsets, count, generator=seeded(0)) < 0.5
    keep[0], keep[-1] = True, False
    return keep


@pytest.mark.parametrize("graph_bias", [False, True])
@pytest.mark.parametrize("layout", ["packed", "padded"])
def test_are_what_a_batch_of_the_subgraphs_is(layout, graph_bias):
    model = make_random_model(attention=layout, graph_bias=graph_bias)
    tokens, keep = make_random_tokens((COUNT,))[0], drawn()
    batch = Batch.from_data_list([tokens.subgraph(part) for part in keep])
    expected = model.embedder(batch)
    sequences = subset_sequences(model.embedder(tokens), keep)
    edges = subset_edges(tokens.edge_index, keep)
    assert torch.equal(sequences.x, expected.x)
    assert torch.equal(sequences.offsets, expected.offsets)
    assert torch.equal(sequences.image, expected.image)
    assert torch.equal(sequences.node_rows, expected.node_rows)
    assert torch.equal(sequences.kept, keep.flatten().nonzero().flatten())
    alone, features = model.forward_features(batch), model.forward_sequences(sequences, edges)
    assert torch.equal(features.class_token, alone.class_token)
    assert torch.equal(features.tokens, alone.tokens)


def test_are_of_one_image_and_of_its_tokens(unchecked):
    model, batch = make_random_model(), make_random_tokens((3, 4))
    with pytest.raises(ValueError, match="one image"):
        subset_sequences(model.embedder(batch), drawn(2, 7))
    some = torch.tensor([True, False, True])
    with pytest.raises(ValueError, match="all of which"):
        subset_sequences(model.embedder(batch[0], None, some), drawn(2, 3))
    with pytest.raises(ValueError, match=r"\[M, 3\]"):
        subset_sequences(model.embedder(batch[0]), drawn(2, 4))
