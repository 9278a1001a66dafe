"""The tokens of an image as a table."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Int64
from torch import Tensor
from torch_geometric.utils import degree

from spitgraph.data import TokenData
from spitgraph.extras import needs_extra
from spitgraph.grid import connected_parts
from spitgraph.inspection.overlay import seg_of
from spitgraph.pixel_map import stored

if TYPE_CHECKING:
    import pandas


def token_table(tokens: TokenData) -> "pandas.DataFrame":
    """One row a token: where it is, how large, of what colour, and how it touches the others.

    Columns: `x, y` (centroid), `size` (pixels), `x_min, y_min, x_max, y_max` (bounding box, max
    exclusive), `red, green, blue` (mean colour), `degree` (neighbours), `border` (length shared
    with them, in pixel sides), `parts` (see `count_parts`).

    Args:
        tokens: One image.

    Raises:
        ValueError: A batch, or nodes that are no longer the image's tokens.
        TypeError: No token graph.
        ImportError: Pandas is missing.
    """
    with needs_extra("plot"):
        import pandas
    parts = count_parts(tokens)
    source, num_tokens = stored(tokens, "edge_index")[0], len(tokens.size)
    shared = stored(tokens, "edge_attr")[:, 0]
    columns = {
        **dict(zip(["x", "y"], stored(tokens, "pos").t(), strict=True)),
        "size": tokens.size,
        **dict(zip(["x_min", "y_min", "x_max", "y_max"], tokens.bbox.t(), strict=True)),
        **dict(zip(["red", "green", "blue"], tokens.color.t(), strict=True)),
        "degree": degree(source, num_tokens, dtype=torch.int64),
        "border": shared.new_zeros(num_tokens).index_add_(0, source, shared).long(),
        "parts": parts,
    }
    table = pandas.DataFrame({name: column.cpu().numpy() for name, column in columns.items()})
    return table.rename_axis("token")


def count_parts(tokens: TokenData) -> Int64[Tensor, " N"]:
    """How many pieces, connected through 4-neighbours, the region of each token consists of.

    Always 1 for superpixels and patches; label maps made elsewhere may hold scattered regions.

    Args:
        tokens: One image.

    Raises:
        ValueError: A batch, or nodes that are no longer the image's tokens.
        TypeError: No token graph.
    """
    seg = seg_of(tokens)
    first = connected_parts(seg)
    pixel = torch.arange(len(first), device=first.device)
    return torch.bincount(seg.flatten()[first == pixel], minlength=len(tokens.size))
