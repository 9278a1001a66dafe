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
    mask: Any, tokens: TokenData, level: SupportsIndex, *, values: Any = None
) -> Bool[Tensor, "_H _W"]:
    """A mask of tokens, its border decided anew by regions of a finer level.

    Every region of level t begins on the side of its token. With v its value, a and b the means of
    the values of the neighbours on its own and on the other side, weighted by the length of the
    borders shared, it changes sides exactly if it has neighbours on both and

        ‖v − b‖ < ‖v − a‖

    All are decided at once, from the sides at the beginning: inside and outside stay as they are.

    Args:
        mask: [N] bool, tokens of the foreground, as of `Cut.tokens`.
        tokens: One image, with its pixels.
        level: t in 0 … T: 0 are the pixels; at T, tokens themselves change sides.
        values: [n_t, C] floats, one vector a region of level t, such as features pooled by
            `tokens.tree.pool`; the mean colour of the regions by default.

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
    host = exact_device(device)
    if values is None:
        values = regions.color
    instance(values, Tensor, "values", "a tensor")
    if values.dim() != 2 or len(values) != count or not values.is_floating_point():
        raise ValueError(
            f"expected values of floats [{count}, C], one vector a region of level {level}, "
            f"got {list(values.shape)} of {values.dtype}"
        )
    token = composed(image.parents[regions.tree.depth :], count, device)
    side = mask.to(device)[token]
    changes = _changes(side.to(host), values.to(host, torch.float64), regions.to(host))
    return (side ^ changes.to(device))[regions.seg[0]]


def _changes(
    side: Bool[Tensor, " n"], values: Float64[Tensor, "n C"], regions: TokenData
) -> Bool[Tensor, " n"]:
    """Which regions are nearer to their neighbours across than to those of their own side."""
    region, neighbour = regions.edge_index
    same = side[region] == side[neighbour]
    length = regions.edge_attr[:, 0].double()
    distances, shared = [], []
    for kind in (same, ~same):
        weight = torch.where(kind, length, 0.0)
        total = torch.zeros_like(values[:, 0]).index_add_(0, region, weight)
        sums = torch.zeros_like(values).index_add_(0, region, weight[:, None] * values[neighbour])
        mean = sums / total.clamp(min=1)[:, None]
        distances.append((values - mean).square().sum(dim=1))
        shared.append(total > 0)
    own, other = distances
    return shared[0] & shared[1] & (other < own)
