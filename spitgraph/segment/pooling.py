"""Features of a grid of patches, read off at regions of any shape."""

from typing import Any, SupportsIndex

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from spitgraph.batching import is_batched
from spitgraph.checks import instance
from spitgraph.data import TokenData
from spitgraph.segment.maps import images_of


def pool_grid(
    grid: Any, tokens: TokenData, *, level: SupportsIndex | None = None
) -> Float[Tensor, "n D"]:
    """Mean over each region of features that are interpolated bilinearly between patch centres.

    Beyond the outermost centres the nearest counts. The features of the pixels are never made: what
    each patch weighs in each region is.

    Args:
        grid: [D, h, w] floats, features of h×w equal patches that cover the image, at whatever size
            the model saw it.
        tokens: One image, at its native size.
        level: Of the hierarchy; the last by default.

    Returns:
        [n, D], of the grid's dtype and device; differentiable.

    Raises:
        ValueError: No grid [D, h, w], a batch, no such level, or nodes that are no longer tokens.
        TypeError: An argument is of another type.
    """
    instance(tokens, TokenData, "tokens", "a TokenData")
    if is_batched(tokens):
        raise ValueError("expected the tokens of one image, got a batch: index it first")
    (image,) = images_of(tokens)
    instance(grid, Tensor, "grid", "a tensor")
    if grid.dim() != 3 or grid.numel() == 0 or not grid.is_floating_point():
        raise ValueError(
            f"expected grid [D, h, w] of floats, got {list(grid.shape)} of {grid.dtype}"
        )
    tree = image.tree
    region = image.cluster if level is None else tree.partition(level)
    (count,) = tree.num_regions(level)
    height, width = image.seg.shape[1:]
    weight = shares(region.cpu().view(height, width), count, grid.shape[1], grid.shape[2])
    return weight.to(grid.device, grid.dtype) @ grid.flatten(1).T


def shares(
    region: Int64[Tensor, "H W"], count: int, rows: int, columns: int
) -> Float64[Tensor, "n hw"]:
    """What each patch weighs in the mean of each region: rows that add up to 1."""
    cells = rows * columns
    weight = torch.zeros(count * cells, dtype=torch.float64)
    for row, of_row in _neighbours(region.shape[0], rows):
        for column, of_column in _neighbours(region.shape[1], columns):
            place = region * cells + row[:, None] * columns + column
            shared = of_row[:, None] * of_column
            weight += torch.bincount(place.flatten(), shared.flatten(), len(weight))
    sizes = torch.bincount(region.flatten(), minlength=count).clamp(min=1)
    return weight.view(count, cells) / sizes[:, None]


def _neighbours(
    pixels: int, patches: int
) -> list[tuple[Int64[Tensor, " P"], Float64[Tensor, " P"]]]:
    """The two patches around each pixel along a side, and what they weigh."""
    centre = (torch.arange(pixels, dtype=torch.float64) + 0.5) * patches / pixels - 0.5
    centre = centre.clamp(0, patches - 1)
    before = centre.floor().long()
    beyond = centre - before
    return [(before, 1 - beyond), ((before + 1).clamp(max=patches - 1), beyond)]
