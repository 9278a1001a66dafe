"""Edges to the nearest centroids, as published superpixel graphs have them."""

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor
from torch_geometric.transforms import BaseTransform

from spitgraph.batching import is_batched
from spitgraph.checks import instance, integer
from spitgraph.data import TokenData
from spitgraph.modes import exact_device


class NearestCentroids(BaseTransform):
    r"""Edges from every token to the k of most weight, in place of shared borders.

        w_uv = ½(exp(−d²/σ_u²) + exp(−d²/σ_v²)),    σ_u = Σ_{v among the k nearest of u} d_uv / k

    with d the distance of centroids (x / W, y / H). Edges lead one way, and a token that is far
    from others has many that lead to it; `edge_attr` [E, 1] is their weight. Of equal weights the
    lower token counts. Where there are no more than k + 1 tokens, all are joined.

    Source: Dwivedi et al., Benchmarking Graph Neural Networks (2020). Their code takes the k + 1 of
    most weight and leaves out one of these, whichever a partial sort puts last; here it is the
    least.

    Args:
        k: Edges a token.
    """

    def __init__(self, k: int = 8) -> None:
        self.k = integer(k, "k")

    def forward(self, data: TokenData) -> TokenData:
        """A copy of one image's graph with these edges.

        Raises:
            TypeError: It is no `TokenData`.
            ValueError: It is a batch.
        """
        instance(data, TokenData, "tokens", "a TokenData")
        if is_batched(data):
            raise ValueError("NearestCentroids takes the graph of one image, got a batch")
        device = data.pos.device
        host = exact_device(device)
        place = data.pos.to(host).double() / data.image_size.to(host).flip(1)
        edge_index, weight = nearest_edges(place, self.k)
        data.edge_index, data.edge_attr = edge_index.to(device), weight.to(device)
        return data

    def __repr__(self) -> str:
        return f"{type(self).__name__}(k={self.k})"


def nearest_edges(
    place: Float64[Tensor, "N 2"], k: int
) -> tuple[Int64[Tensor, "2 E"], Float32[Tensor, "E 1"]]:
    """The edges from each place to the k of most weight, sorted, and their weights."""
    n = len(place)
    k = min(k, n - 1)
    if k == 0:
        none = torch.empty(2, 0, dtype=torch.int64, device=place.device)
        return none, place.new_empty(0, 1).float()
    apart = (place[:, None] - place[None]).square().sum(2).sqrt()  # [N, N]
    spread = apart.sort(dim=1).values[:, : k + 1].sum(1) / k + 1e-8  # its own distance is 0
    alike = torch.exp(-(apart / spread[:, None]).square())
    weight = (alike + alike.t()) / 2
    weight.fill_diagonal_(-1)
    best = weight.sort(dim=1, descending=True, stable=True).indices[:, :k].sort(dim=1).values
    start = torch.arange(n, device=place.device).repeat_interleave(k)
    edges = torch.stack([start, best.flatten()])
    return edges, weight[edges[0], edges[1]][:, None].float()
