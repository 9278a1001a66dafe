"""Sizes and shapes of tokens, and how they touch, in numbers."""

import math
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float64
from torch import Tensor
from torch_geometric.utils import degree, scatter

from spitgraph.data import TokenData
from spitgraph.extras import needs_extra
from spitgraph.inspection.overlay import seg_of
from spitgraph.metrics.label_maps import perimeters
from spitgraph.pixel_map import stored

if TYPE_CHECKING:
    import pandas


def token_statistics(tokens: TokenData) -> "pandas.DataFrame":
    """Size and shape of every token, and how it touches the others; one row a token.

    With |S| the pixels of a region:

    - `size`: |S|.
    - `perimeter`: pixel sides that border another region or the outside.
    - `compactness`: 4π |S| / perimeter², π/4 for squares; weighted by size, the mean over tokens is
      `metrics.compactness`.
    - `aspect`: √(λ₂ / λ₁) of the covariance of the points of the region (pixels being squares), the
      short axis over the long one of the ellipse that has it: 1 for squares and discs.
    - `extent`: |S| over the area of the bounding box, 1 for upright rectangles.
    - `degree`: neighbours.
    - `border`: length shared with them, in pixel sides.

    Args:
        tokens: One image.

    Raises:
        ValueError: A batch, or nodes that are no longer the image's tokens.
        TypeError: No token graph.
        ImportError: Pandas is missing.

    Source: compactness as in Schick, Fischer & Stiefelhagen (2012).
    """
    with needs_extra("plot"):
        import pandas
    seg, size = seg_of(tokens), stored(tokens, "size")
    source, count = stored(tokens, "edge_index")[0], len(size)
    shared = stored(tokens, "edge_attr")[:, 0]
    low, high = stored(tokens, "bbox").view(count, 2, 2).unbind(dim=1)
    perimeter = perimeters(seg, size)
    columns = {
        "size": size,
        "perimeter": perimeter,
        "compactness": 4 * math.pi * size / perimeter.double().square(),
        "aspect": aspects(tokens),
        "extent": size / (high - low).prod(dim=1).double(),
        "degree": degree(source, count, dtype=torch.int64),
        "border": shared.new_zeros(count).index_add_(0, source, shared).long(),
    }
    table = pandas.DataFrame({name: column.cpu().numpy() for name, column in columns.items()})
    return table.rename_axis("token")


def aspects(tokens: TokenData) -> Float64[Tensor, " N"]:
    """The short axis over the long one, of the ellipses that have the regions' moments."""
    seg, count = seg_of(tokens), len(tokens.size)
    height, width = seg.shape
    cluster, place = seg.flatten(), torch.arange(seg.numel(), device=seg.device)
    points = torch.stack([place % width, place // width]).double()  # [2, H·W]
    middle = scatter(points, cluster, dim=1, dim_size=count, reduce="mean")
    dx, dy = points - middle.index_select(1, cluster)
    moments = torch.stack([dx * dx, dy * dy, dx * dy])
    xx, yy, xy = scatter(moments, cluster, dim=1, dim_size=count, reduce="mean")
    xx, yy = xx + 1 / 12, yy + 1 / 12  # pixels are squares, not points
    half, apart = (xx + yy) / 2, ((xx - yy) / 2).hypot(xy)
    return ((half - apart).clamp(min=0) / (half + apart)).sqrt()
