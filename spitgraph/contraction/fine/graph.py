"""Regions of one image, with what the fine rule needs to know of them (METHOD 10.1)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int, Int64
from torch import Tensor
from torch_geometric.nn.pool.select import SelectOutput

from spitgraph.contraction.connect import MergeEdges
from spitgraph.contraction.fine import rule
from spitgraph.contraction.reduce import SumReduce
from spitgraph.contraction.weights import square_root
from spitgraph.grid import pixel_edges


@dataclass
class FineGraph:
    """Regions of one image, and who touches whom. All numbers are exact.

    Attributes:
        sums: [C, n] int64, features in whole steps summed over each region's pixels.
        squares: [n] int64, Σ over each region's pixels of their squared features, weighted.
        size: [n] int64, pixels.
        edge_index: [2, E] int64, regions that touch; each pair once, smaller number first.
        border: [E, 2] int64, pixel sides that they share; and how different the pixels are on
            either side, summed.
    """

    sums: Int64[Tensor, "C n"]
    squares: Int64[Tensor, " n"]
    size: Int64[Tensor, " n"]
    edge_index: Int64[Tensor, "2 E"]
    border: Int64[Tensor, "E 2"]

    @property
    def num_regions(self) -> int:
        """N."""
        return self.size.numel()

    @property
    def means(self) -> Float64[Tensor, "C n"]:
        """Mean features, in steps."""
        return self.sums.double() / self.size


def coarsened(features_q: Int[Tensor, "C P"]) -> Int[Tensor, "C P"]:
    """Features in the steps of `contract` as those of the fine rule."""
    return (features_q + (1 << (rule.COARSER - 1))) >> rule.COARSER


def pixel_graph(
    features_q: Int64[Tensor, "C HW"], weights: Int64[Tensor, " C"], height: int, width: int
) -> FineGraph:
    """Every pixel is a region.

    Args:
        features_q: Features in whole steps, row by row.
        weights: What each channel counts.
        height: H.
        width: W.
    """
    edge_index = pixel_edges(height, width, features_q.device)
    evidence = differences(features_q.view(-1, height, width))
    return FineGraph(
        features_q,
        (weights[:, None] * features_q * features_q).sum(0),
        torch.ones_like(features_q[0]),
        edge_index,
        torch.stack([torch.ones_like(evidence), evidence], dim=1),
    )


def differences(features_q: Int64[Tensor, "C H W"]) -> Int64[Tensor, " E"]:
    """How different the 3 × 3 pixels on either side of every pixel side are; see `pixel_edges`.

    Distances of their summed features, to the nearest whole step; borders are repeated.
    """
    patch = repeated_border(patch_sums(features_q))
    inner = slice(1, -1)
    right = patch[:, inner, 3:] - patch[:, inner, :-3]
    below = patch[:, 3:, inner] - patch[:, :-3, inner]
    square = torch.cat([(step * step).sum(0).flatten() for step in (right, below)])
    return square_root(square.double()).round().long()


def patch_sums(features_q: Int64[Tensor, "C H W"]) -> Int64[Tensor, "C H W"]:
    """Features summed over the 3 × 3 pixels around each; borders are repeated."""
    patch = repeated_border(features_q)
    patch = patch[:, :, :-2] + patch[:, :, 1:-1] + patch[:, :, 2:]
    return patch[:, :-2] + patch[:, 1:-1] + patch[:, 2:]


def smoothed(features_q: Int64[Tensor, "C H W"]) -> Int64[Tensor, "C H W"]:
    """Means of the 3 × 3 pixels around each, to the nearest whole step (METHOD 10.4)."""
    count = 9 + rule.MIDDLE_EXTRA
    total = patch_sums(features_q) + rule.MIDDLE_EXTRA * features_q
    return (total + count // 2).div(count, rounding_mode="floor")


def repeated_border(values: Int64[Tensor, "C H W"]) -> Int64[Tensor, "C _h _w"]:
    """Values with a frame of one pixel, which repeats them."""
    values = torch.cat([values[:, :1], values, values[:, -1:]], dim=1)
    return torch.cat([values[:, :, :1], values, values[:, :, -1:]], dim=2)


def pool(graph: FineGraph, clusters: SelectOutput) -> FineGraph:
    """The regions that clusters of regions become, and who touches whom then."""
    totals = torch.cat([graph.sums, graph.squares[None], graph.size[None]])
    totals = SumReduce()(totals, clusters)
    edges = MergeEdges()(clusters, graph.edge_index, graph.border)
    assert edges.edge_attr is not None
    return FineGraph(totals[:-2], totals[-2], totals[-1], edges.edge_index, edges.edge_attr)
