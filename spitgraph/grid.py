"""Level 0: the pixels of an image as a graph (METHOD 1)."""

import torch
from jaxtyping import Float, Float32, Int64, Shaped
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected

from spitgraph.images import unit_rgb
from spitgraph.tensors import unshared


def pixel_edges(
    height: int, width: int, device: torch.device | None = None
) -> Int64[Tensor, "2 E"]:
    """Edges between 4-neighbours of a grid, each stored once with the smaller pixel first.

    Pixel (y, x) is node y·width + x. E = height·(width − 1) + (height − 1)·width.
    """
    node = torch.arange(height * width, device=device).view(height, width)
    num_right = height * (width - 1)
    edges = node.new_empty(2, num_right + (height - 1) * width)
    right, down = edges[:, :num_right], edges[:, num_right:]
    for end, ahead in enumerate((slice(None, -1), slice(1, None))):
        right[end].view(height, width - 1).copy_(node[:, ahead])
        down[end].view(height - 1, width).copy_(node[ahead])
    return edges


def pixel_positions(
    height: int, width: int, device: torch.device | None = None
) -> Int64[Tensor, "HW 2"]:
    """Coordinates (x, y) of every pixel, row by row."""
    node = torch.arange(height * width, device=device)
    return torch.stack([node % width, node.div(width, rounding_mode="floor")], dim=1)


def connected_parts(label: Int64[Tensor, "H W"]) -> Int64[Tensor, " HW"]:
    """First pixel of the piece that each pixel belongs to: of its label, and connected by sides."""
    cluster = label.flatten()
    height, width = label.shape
    u, v = pixel_edges(height, width, label.device)
    inside = cluster[u] == cluster[v]
    u, v = u[inside], v[inside]
    # every pixel takes over the first pixel of its piece, by hooking and pointer doubling
    first = torch.arange(cluster.numel(), device=cluster.device)
    while not torch.equal(first[u], first[v]):
        low = torch.minimum(first[u], first[v])
        first = first.scatter_reduce(0, first[u], low, "amin")
        first = first.scatter_reduce(0, first[v], low, "amin")
        first = first[first]
    return first


def flatten_pixels(image: Float[Tensor, "C H W"]) -> Float[Tensor, "HW C"]:
    """Pixels of an image row by row, as node features."""
    return image.flatten(1).t().contiguous()


def rgb_pixels(image: Shaped[Tensor, "3 H W"]) -> Float32[Tensor, "HW 3"]:
    """Pixels of a checked image row by row, float32 in [0, 1], in memory of their own."""
    return unshared(flatten_pixels(unit_rgb(image)), image)


def grid_graph(image: Shaped[Tensor, "3 H W"]) -> Data:
    """The grid graph of an image: a node a pixel, an edge between 4-neighbours.

    Args:
        image: RGB, uint8 or float32 in [0, 1].

    Returns:
        `Data` with `x` and `pixels` [H·W, 3] float32 (RGB), `pos` [H·W, 2] float32 (x, y in
        pixels), `edge_index` [2, E] int64 (both directions, sorted) and `image_size` [1, 2] int64
        (H, W). `x` is a copy, for transforms to change.
    """
    height, width = image.shape[-2:]
    pixels = rgb_pixels(image)
    return Data(
        x=pixels.clone(),
        pixels=pixels,
        pos=pixel_positions(height, width, image.device).float(),
        edge_index=to_undirected(
            pixel_edges(height, width, image.device), num_nodes=height * width
        ),
        image_size=torch.tensor([[height, width]], device=image.device),
    )
