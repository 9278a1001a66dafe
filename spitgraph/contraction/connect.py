"""Edges between the regions of the next level (METHOD 2.5): a PyG `Connect`."""

import torch
from jaxtyping import Int64
from torch import Tensor
from torch_geometric.nn.pool.connect import Connect
from torch_geometric.nn.pool.connect.base import ConnectOutput
from torch_geometric.nn.pool.select import SelectOutput
from torch_geometric.utils import coalesce

from spitgraph.contraction.graph import EDGES_AT_A_TIME


class MergeEdges(Connect):
    """Relabel undirected edges, drop those inside a cluster, merge parallel ones.

    An edge's attribute, the length of the border, is the sum over the edges merged into it.
    """

    def forward(
        self,
        select_output: SelectOutput,
        edge_index: Int64[Tensor, "2 E"],
        edge_attr: Int64[Tensor, " E"] | None = None,
        batch: Int64[Tensor, " n"] | None = None,
    ) -> ConnectOutput:
        """Edges of the pooled graph, each once, smaller cluster first, sorted.

        Args:
            select_output: Cluster of every region.
            edge_index: [2, E] undirected edges, each once.
            edge_attr: [E] border length.
            batch: [n] image of every region.
        """
        cluster = select_output.cluster_index
        if edge_attr is None:
            edge_attr = torch.ones_like(edge_index[0])
        pairs, borders = [], []
        for (u, v), border in zip(
            edge_index.split(EDGES_AT_A_TIME, dim=1), edge_attr.split(EDGES_AT_A_TIME), strict=True
        ):
            u, v = cluster.index_select(0, u), cluster.index_select(0, v)
            between = (u != v).nonzero()[:, 0]
            pair = torch.stack([torch.minimum(u, v), torch.maximum(u, v)])
            pairs.append(pair.index_select(1, between))
            borders.append(border.index_select(0, between))
        merged, border = coalesce(
            torch.cat(pairs, dim=1),
            torch.cat(borders),
            num_nodes=select_output.num_clusters,
            reduce="sum",
        )
        if batch is not None:
            pooled = batch.new_empty(select_output.num_clusters)
            pooled[cluster] = batch  # regions of a cluster share their image
            batch = pooled
        return ConnectOutput(merged, border, batch)
