"""Edges between the regions of the next level (METHOD 2.5): a PyG `Connect`."""

import torch
from jaxtyping import Int64
from torch import Tensor
from torch_geometric.nn.pool.connect import Connect
from torch_geometric.nn.pool.connect.base import ConnectOutput
from torch_geometric.nn.pool.select import SelectOutput

from spitgraph.contraction.graph import EDGES_AT_A_TIME
from spitgraph.extensions import scatter_sum


class MergeEdges(Connect):
    """Relabel undirected edges, drop those inside a cluster, merge parallel ones.

    An edge's attribute, as the length of a border, is the sum over the edges merged into it.
    """

    def forward(
        self,
        select_output: SelectOutput,
        edge_index: Int64[Tensor, "2 E"],
        edge_attr: Int64[Tensor, "E *A"] | None = None,
        batch: Int64[Tensor, " n"] | None = None,
    ) -> ConnectOutput:
        """Edges of the pooled graph, each once, smaller cluster first, sorted.

        Args:
            select_output: Cluster of every region.
            edge_index: [2, E] undirected edges, each once.
            edge_attr: [E] or [E, A], as border length: what is added up, if that is wanted.
            batch: [n] image of every region, if that of every cluster is wanted.
        """
        cluster, n = select_output.cluster_index, select_output.num_clusters
        pairs, between = [], []  # u·n + v: what sorts, and takes half the memory of two numbers
        for u, v in edge_index.split(EDGES_AT_A_TIME, dim=1):
            u, v = cluster.index_select(0, u), cluster.index_select(0, v)
            pair = torch.minimum(u, v).mul_(n).add_(torch.maximum(u, v))
            differ = u != v
            pairs.append(pair.index_select(0, differ.nonzero()[:, 0]))
            if edge_attr is not None:
                between.append(differ)
        pair = torch.cat(pairs)
        pairs.clear()
        if edge_attr is None:
            pair = pair.sort().values.unique_consecutive()
        else:
            pair, merged = pair.unique(return_inverse=True)
            edge_attr = scatter_sum(edge_attr[torch.cat(between)].t(), merged, len(pair)).t()
        if batch is not None:
            pooled = batch.new_empty(n)
            pooled[cluster] = batch  # regions of a cluster share their image
            batch = pooled
        edge_index = torch.stack([pair.div(n, rounding_mode="floor"), pair % n])
        return ConnectOutput(edge_index, edge_attr, batch)
