"""Merged edges, by hand."""

import torch
from torch_geometric.nn.pool.select import SelectOutput

from spitgraph.contraction import MergeEdges


def test_parallel_edges_are_merged_and_their_lengths_added():
    # two images: a square of regions 0 1 / 2 3, of which 0 and 2 merge; and the pair 4 5
    cluster = torch.tensor([0, 1, 0, 2, 3, 4])
    edge_index = torch.tensor([[0, 2, 0, 1, 4], [1, 3, 2, 3, 5]])
    length = torch.tensor([5, 7, 9, 11, 13])
    select = SelectOutput(torch.arange(6), 6, cluster, 5)
    merged = MergeEdges()(select, edge_index, length, torch.tensor([0, 0, 0, 0, 1, 1]))
    assert merged.edge_index.tolist() == [[0, 0, 1, 3], [1, 2, 2, 4]]
    assert merged.edge_attr.tolist() == [5, 7, 11, 13]
    assert merged.batch.tolist() == [0, 0, 0, 1, 1]

    several = SelectOutput(torch.arange(6), 6, torch.tensor([0, 1, 0, 1, 2, 2]), 3)
    merged = MergeEdges()(several, edge_index, length)
    assert merged.edge_index.tolist() == [[0], [1]]
    assert merged.edge_attr.tolist() == [5 + 7]
    assert torch.equal(MergeEdges()(several, edge_index).edge_index, merged.edge_index)
