"""Masks of tokens at finer levels of the hierarchy that led to them."""

from typing import Any, SupportsIndex

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from spitgraph.batching import is_batched
from spitgraph.checks import instance
from spitgraph.data import TokenData
from spitgraph.hierarchy import composed
from spitgraph.modes import exact_device
from spitgraph.segment.maps import images_of


def refine_at_level(
    mask: Any, tokens: TokenData, level: SupportsIndex, values: Any
) -> Bool[Tensor, "_H _W"]:
    """A mask of tokens, its border decided anew by regions of a finer level.

    Every region of level t begins on the side of its token. With v its value, and a and b the mean
    values of its own and of the other side at that level, each region counted by its pixels, one
    that touches the other side goes there exactly if

        ‖v − b‖ < ‖v − a‖

    All are decided at once: what does not touch the border stays as it is.

    Args:
        mask: [N] bool, tokens of the foreground, as of `Cut.tokens`.
        tokens: One image, with its pixels.
        level: t in 0 … T: 0 are the pixels; at T, tokens themselves change sides.
        values: [n_t, C] floats, a vector for each region of level t, such as features by
            `pool_grid` or `tokens.tree.pool`. Those of which directions matter are normed before.

    Returns:
        [H, W] bool.

    Raises:
        ValueError: A batch, dropped pixels, no such level, or not a value for every region.
        TypeError: An argument is of another type.
    """
    instance(tokens, TokenData, "tokens", "a TokenData")
    if is_batched(tokens):
        raise ValueError("expected the tokens of one image, got a batch: index it first")
    (image,) = images_of(tokens)
    instance(mask, Tensor, "mask", "a boolean tensor")
    if mask.dtype != torch.bool or mask.shape != image.size.shape:
        raise ValueError(
            f"expected mask of {len(image.size)} booleans, one a token, "
            f"got {list(mask.shape)} of {mask.dtype}"
        )
    regions = image.to_level(level)
    device, count = image.cluster.device, len(regions.size)
    instance(values, Tensor, "values", "a tensor")
    if values.dim() != 2 or len(values) != count or not values.is_floating_point():
        raise ValueError(
            f"expected values [{count}, C] of floats, a vector for each region of level {level}, "
            f"got {list(values.shape)} of {values.dtype}"
        )
    host = exact_device(device)
    token = composed(image.parents[regions.tree.depth :], count, device)
    side, seg = mask.to(device)[token], regions.seg[0]
    changes = _changes(side.to(host), values.detach().to(host, torch.float64), regions.to(host))
    return (side ^ changes.to(device))[seg]


def _changes(
    side: Bool[Tensor, " n"], values: Float64[Tensor, "n C"], regions: TokenData
) -> Bool[Tensor, " n"]:
    """Which regions touch the other side and are nearer to its mean than to that of their own."""
    if bool(side.all()) or not bool(side.any()):
        return torch.zeros_like(side)
    region, neighbour = regions.edge_index
    at_border = torch.zeros_like(side)
    at_border[region[side[region] != side[neighbour]]] = True
    pixels = regions.size.double()
    inside, outside = (
        (values - pixels[of_side] @ values[of_side] / pixels[of_side].sum()).norm(dim=1)
        for of_side in (side, ~side)
    )
    return at_border & torch.where(side, outside < inside, inside < outside)
