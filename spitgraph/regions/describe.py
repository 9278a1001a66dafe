"""What a partition's regions look like: sizes, boxes, centroids, colours, shared borders."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch_geometric.utils import to_undirected

from spitgraph.extensions import scatter_max, scatter_min, scatter_sum

#: Colours are averaged as whole numbers of this step, so that means do not depend on their order.
COLOUR_STEPS = 2**24
#: Pixels measured at a time: intermediate results stay in a processor's cache.
PIXELS_AT_A_TIME = 2**16
#: Beyond the coordinates of any pixel.
FAR = 2**31


@dataclass
class Regions:
    """Attributes of N regions and of the E directed edges between them; see `TokenData`."""

    size: Int64[Tensor, " N"]
    bbox: Int64[Tensor, "N 4"]
    pos: Float32[Tensor, "N 2"]
    color: Float32[Tensor, "N 3"]
    edge_index: Int64[Tensor, "2 E"]
    edge_attr: Float32[Tensor, "E 1"]


def describe_regions(
    cluster: Int64[Tensor, " HW"],
    num_regions: int,
    pixels: Float[Tensor, "HW 3"],
    height: int,
    width: int,
) -> Regions:
    """Measure the regions of one image, exactly: every sum is over integers.

    Args:
        cluster: Region of each pixel, row by row, in 0 … num_regions − 1, none empty.
        num_regions: N.
        pixels: RGB in [0, 1].
        height: H of the image.
        width: W of the image.
    """
    device = cluster.device
    sums = torch.zeros(6, num_regions, dtype=torch.int64, device=device)
    low = torch.full((2, num_regions), FAR, device=device)
    high = torch.zeros(2, num_regions, dtype=torch.int64, device=device)
    start = 0
    for region, colour in zip(
        cluster.split(PIXELS_AT_A_TIME), pixels.detach().split(PIXELS_AT_A_TIME), strict=True
    ):
        pixel = torch.arange(start, start + region.numel(), device=device)
        start += region.numel()
        position = torch.stack([pixel % width, pixel.div(width, rounding_mode="floor")])
        steps = (colour.t().double() * COLOUR_STEPS).round().long()
        summed = torch.cat([position, steps, torch.ones_like(pixel)[None]])
        sums += scatter_sum(summed, region, num_regions)
        scatter_min(position, region, low)
        scatter_max(position, region, high)
    size = sums[5].clone()  # not a view that keeps the other sums
    means = sums[:5].double() / size
    edge_index, edge_attr = shared_borders(cluster.view(height, width), num_regions)
    return Regions(
        size=size,
        bbox=torch.cat([low, high + 1]).t().contiguous(),
        pos=means[:2].t().float().contiguous(),
        color=(means[2:] / COLOUR_STEPS).t().float().contiguous(),
        edge_index=edge_index,
        edge_attr=edge_attr,
    )


def shared_borders(
    seg: Int64[Tensor, "H W"], num_regions: int
) -> tuple[Int64[Tensor, "2 E"], Float32[Tensor, "E 1"]]:
    """Regions that touch, in both directions and sorted; and how many pixel sides they share."""
    rows = max(1, PIXELS_AT_A_TIME // seg.shape[1])
    sides = []  # of every pixel side between regions u < v, u·num_regions + v
    for top in range(0, seg.shape[0], rows):
        strip = seg[top : top + rows + 1]  # with the row below
        inner = strip[:rows]
        for one, other in ((inner[:, :-1], inner[:, 1:]), (strip[:-1], strip[1:])):
            differ = one != other
            one, other = one[differ], other[differ]
            side = torch.minimum(one, other).mul_(num_regions)
            sides.append(side.add_(torch.maximum(one, other)))
    pair, length = torch.cat(sides).sort().values.unique_consecutive(return_counts=True)
    pair = torch.stack([pair.div(num_regions, rounding_mode="floor"), pair % num_regions])
    edge_index, length = to_undirected(pair, length, num_nodes=num_regions)
    return edge_index, length.float()[:, None]
