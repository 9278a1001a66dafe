"""What a pixel graph holds, checked: graphs come from users and other transforms."""

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import coalesce

from spitgraph.grid import pixel_positions
from spitgraph.images import load_image
from spitgraph.tensors import plain


def grid_size(data: Data) -> tuple[int, int]:
    """(H, W) of a pixel graph, once it is known to be one and to have as many nodes."""
    if not isinstance(data, Data) or isinstance(data, Batch):
        raise TypeError(f"expected one graph, as of ToGridGraph, got {type(data).__name__}")
    if "image_size" not in data:
        raise ValueError(
            f"expected image_size [1, 2], as ToGridGraph sets it, got only {data.keys()}"
        )
    size = data.image_size
    if not isinstance(size, Tensor) or size.dtype != torch.int64 or size.shape != (1, 2):
        came = f"{size.dtype} {list(size.shape)}" if isinstance(size, Tensor) else repr(size)
        raise ValueError(f"image_size must be one int64 (H, W), [1, 2], got {came}")
    height, width = size[0].tolist()
    if height < 1 or width < 1 or data.num_nodes != height * width:
        raise ValueError(
            f"expected a node for every pixel of an image of {height}×{width}, "
            f"got {data.num_nodes} nodes"
        )
    check_order(data.pos, height, width)
    return height, width


def check_order(pos: Any, height: int, width: int) -> None:
    """Refuse nodes that are the pixels in another order, or some of them more than once.

    It is their positions that tell: as long as all are pixels', they are to be there row by row.
    Those that a transform scaled, turned or moved tell nothing.
    """
    if not isinstance(pos, Tensor) or pos.shape != (height * width, 2):
        return
    grid = pixel_positions(height, width, pos.device).to(pos.dtype)
    if torch.equal(pos, grid):
        return
    inside = (pos >= 0).all() and (pos <= grid[-1]).all()
    if inside and torch.equal(pos, pos.round()):
        raise ValueError(
            "expected the pixels row by row, as ToGridGraph makes them; by their positions (pos), "
            "the nodes are in another order, or some of them repeated"
        )


def picture(data: Data, height: int, width: int) -> Float[Tensor, "3 H W"]:
    """The image whose pixels the nodes are, checked: `pixels`, or `x` where there is none."""
    name = "pixels" if "pixels" in data else "x"
    colour = data.get(name)
    if not isinstance(colour, Tensor) or not colour.is_floating_point():
        came = colour.dtype if isinstance(colour, Tensor) else type(colour).__name__
        raise TypeError(f"data.{name} must be a floating-point tensor, RGB, got {came}")
    if colour.shape != (height * width, 3):
        raise ValueError(
            f"data.{name} must be [{height * width}, 3], RGB of every pixel, "
            f"got {list(colour.shape)}"
        )
    try:
        return load_image(plain(colour).t().reshape(3, height, width))
    except ValueError as error:
        raise ValueError(f"data.{name}: {error}") from None


def undirected_edges(data: Data) -> Int64[Tensor, "2 E"]:
    """The edges of a graph, each once with the smaller node first, without self-loops."""
    edge_index = data.edge_index
    if not isinstance(edge_index, Tensor) or edge_index.dtype != torch.int64:
        came = edge_index.dtype if isinstance(edge_index, Tensor) else type(edge_index).__name__
        raise TypeError(f"edge_index must be an int64 tensor, got {came}")
    if edge_index.dim() != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"edge_index must be [2, E], got {list(edge_index.shape)}")
    if edge_index.numel():
        low, high = torch.stack(edge_index.aminmax()).tolist()
        if low < 0 or high >= data.num_nodes:
            raise ValueError(
                f"edge_index must hold nodes 0 … {data.num_nodes - 1}, got {low} to {high}"
            )
    edge_index = plain(edge_index)
    u, v = edge_index[:, edge_index[0] != edge_index[1]]
    return coalesce(
        torch.stack([torch.minimum(u, v), torch.maximum(u, v)]), num_nodes=data.num_nodes
    )
