"""What a partition's regions look like: sizes, boxes, centroids, colours, shared borders."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import torch
from jaxtyping import Float32, Int64, Shaped
from torch import Tensor
from torch_geometric.utils import to_undirected

from spitgraph.extensions import scatter_max, scatter_min, scatter_sum
from spitgraph.grid import rgb_pixels

#: Colours are averaged as whole numbers of this step, so that means do not depend on their order.
COLOUR_STEPS = 2**24
#: Pixels measured at a time: intermediate results stay in a processor's cache.
PIXELS_AT_A_TIME = 2**16
#: Beyond the coordinates of any pixel.
FAR = 2**31


class Regions(NamedTuple):
    """Attributes of the N regions of a batch, and of the E directed edges between them.

    In the order in which operators return them; `spitgraph.attributes` says what they are.
    """

    pixels: Float32[Tensor, "P 3"]
    size: Int64[Tensor, " N"]
    bbox: Int64[Tensor, "N 4"]
    pos: Float32[Tensor, "N 2"]
    color: Float32[Tensor, "N 3"]
    edge_index: Int64[Tensor, "2 E"]
    edge_attr: Float32[Tensor, "E 1"]
    #: Edges of each image, on the CPU.
    num_edges: Int64[Tensor, " B"]


def describe_regions(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    cluster: Int64[Tensor, " P"],
    num_regions: Sequence[int],
) -> Regions:
    """Measure the regions of a batch of images, exactly: every sum is over integers.

    Args:
        images: RGB, uint8 or float32 in [0, 1].
        cluster: Region of each pixel, image by image, row by row, numbered over the batch; none is
            empty.
        num_regions: Regions of each image.
    """
    first = list(accumulate(num_regions, initial=0))
    areas = [image[0].numel() for image in images]
    described = [
        describe_image(image, part - start, count)
        for image, part, start, count in zip(
            images, cluster.split(areas), first, num_regions, strict=False
        )
    ]
    if len(described) == 1:
        return described[0]
    pixels, size, bbox, pos, color, edges, edge_attr, num_edges = zip(*described, strict=True)
    return Regions(
        torch.cat(pixels),
        torch.cat(size),
        torch.cat(bbox),
        torch.cat(pos),
        torch.cat(color),
        torch.cat([part + start for part, start in zip(edges, first, strict=False)], dim=1),
        torch.cat(edge_attr),
        torch.cat(num_edges),
    )


def describe_image(
    image: Shaped[Tensor, "3 H W"], cluster: Int64[Tensor, " HW"], num_regions: int
) -> Regions:
    """The same for one image, its regions numbered 0 … num_regions − 1."""
    height, width = image.shape[1:]
    pixels = rgb_pixels(image)
    device = cluster.device
    sums = torch.zeros(6, num_regions, dtype=torch.int64, device=device)
    low = torch.full((2, num_regions), FAR, device=device)
    high = torch.zeros(2, num_regions, dtype=torch.int64, device=device)
    start = 0
    for region, colour in zip(
        cluster.split(PIXELS_AT_A_TIME), pixels.split(PIXELS_AT_A_TIME), strict=True
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
        pixels=pixels,
        size=size,
        bbox=torch.cat([low, high + 1]).t().contiguous(),
        pos=means[:2].t().float().contiguous(),
        color=(means[2:] / COLOUR_STEPS).t().float().contiguous(),
        edge_index=edge_index,
        edge_attr=edge_attr,
        num_edges=torch.tensor([edge_index.shape[1]], device="cpu"),
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
