"""What the literature gives the nodes of superpixel graphs."""

import copy

import torch
from jaxtyping import Float32
from torch import Tensor
from torch_geometric.utils import scatter

from spitgraph.data import TokenData
from spitgraph.extractors import Extractor
from spitgraph.modes import exact_device


def unit_places(tokens: TokenData) -> Float32[Tensor, "N 2"]:
    """Centroids (x / W, y / H)."""
    sides = tokens.image_size.flip(1)  # (W, H)
    return tokens.pos / (sides[tokens.batch] if "batch" in tokens else sides)


class ColourAndPlace(Extractor):
    """Mean RGB and centroid, all in [0, 1]: the node features of MNIST-SP and CIFAR10-SP.

    Source: Dwivedi et al., Benchmarking Graph Neural Networks (2020).
    """

    layout = {"colour": slice(0, 3), "place": slice(3, 5)}

    def forward(self, tokens: TokenData) -> TokenData:
        """A copy with `x` [N, 5] float32."""
        tokens = copy.copy(tokens)
        tokens.x = torch.cat([tokens.color, unit_places(tokens)], dim=1)
        return tokens


class ColourStatistics(Extractor):
    """Mean, deviation, maximum and minimum of RGB, and the centroid, all in [0, 1].

    The twelve colours and two coordinates of PascalVOC-SP and COCO-SP. Pixels are needed.

    Source: Dwivedi et al., Long Range Graph Benchmark (2022).
    """

    layout = {
        "mean": slice(0, 3),
        "deviation": slice(3, 6),
        "maximum": slice(6, 9),
        "minimum": slice(9, 12),
        "place": slice(12, 14),
    }

    def forward(self, tokens: TokenData) -> TokenData:
        """A copy with `x` [N, 14] float32."""
        host, n = exact_device(tokens.pixels.device), tokens.num_nodes
        pixels, cluster = tokens.pixels.to(host).double(), tokens.cluster.to(host)
        mean, most, least = (
            scatter(pixels, cluster, dim=0, dim_size=n, reduce=reduce)
            for reduce in ("mean", "max", "min")
        )
        around = (pixels - mean.index_select(0, cluster)).square()
        deviation = scatter(around, cluster, dim=0, dim_size=n, reduce="mean").sqrt()
        statistics = (
            torch.cat([mean, deviation, most, least], dim=1).float().to(tokens.pixels.device)
        )
        tokens = copy.copy(tokens)
        tokens.x = torch.cat([statistics, unit_places(tokens)], dim=1)
        return tokens
