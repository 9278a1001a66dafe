"""A table of positions, read where a token's centroid lies."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from spitgraph.modes import exact_device


def sampled_positions(
    table: Float[Tensor, "1 rows columns D"],
    pos: Float[Tensor, "K 2"],
    image_size: Int64[Tensor, "K 2"],
) -> Float[Tensor, "K D"]:
    """The table at each token's centroid, between its entries bilinearly, clamped to it.

    With (x, y) the centroid in pixels and G entries across W pixels, the token lies at column
    (x + ½)·G/W − ½, and likewise in y: that of a square patch of a G×G grid is its own entry.

    Args:
        table: An entry a cell of the grid.
        pos: Centroids (x, y) in pixels.
        image_size: (H, W) of each token's image.
    """
    device = exact_device(pos.device)
    place = pos.to(device).double().flip(1) + 0.5  # (y, x)
    grid = torch.tensor(table.shape[1:3], dtype=torch.float64, device=device)
    place = place * grid / image_size.to(device) - 0.5
    place = place.clamp(min=0).minimum(grid - 1)
    low = place.floor()
    part = (place - low).to(table.device, table.dtype)
    first = low.long().to(table.device)
    last = torch.minimum(first + 1, (grid - 1).long().to(table.device))
    entries, columns = table[0].flatten(0, 1), table.shape[2]
    total = None
    for y, down in ((first[:, 0], 1 - part[:, 0]), (last[:, 0], part[:, 0])):
        for x, across in ((first[:, 1], 1 - part[:, 1]), (last[:, 1], part[:, 1])):
            entry = entries.index_select(0, y * columns + x) * (down * across)[:, None]
            total = entry if total is None else total + entry
    assert total is not None  # there are four corners
    return total
