"""Tokens and maps: what each image of a batch is given, and what its pixels get."""

from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from spitgraph.batching import is_batched
from spitgraph.checks import instance
from spitgraph.data import TokenData
from spitgraph.pixel_map import map_counts


def to_map(values: Any, tokens: TokenData) -> Shaped[Tensor, "..."] | list[Tensor]:
    """Every pixel gets the value of its token.

    Args:
        values: [N, ...], a value a token.
        tokens: One image, or a batch.

    Returns:
        [H, W, ...]; of a batch, a list of such.

    Raises:
        ValueError: There is not a value for every token, or nodes are no longer the tokens.
        TypeError: No tensor, or no token graph.
    """
    images = images_of(tokens)
    maps = [
        rows.index_select(0, image.cluster.to(rows.device)).unflatten(0, image.seg.shape[1:])
        for rows, image in zip(rows_of(values, tokens, "values"), images, strict=True)
    ]
    return maps if is_batched(tokens) else maps[0]


def images_of(tokens: Any) -> list[TokenData]:
    """The token graphs of each image.

    Raises:
        ValueError: Nodes are no longer the tokens of the image.
        TypeError: It is no token graph.
    """
    instance(tokens, TokenData, "tokens", "a TokenData")
    map_counts(tokens)
    return tokens.to_data_list() if is_batched(tokens) else [tokens]


def rows_of(values: Any, tokens: TokenData, name: str) -> list[Tensor]:
    """A tensor that has a row a token, image by image.

    Raises:
        ValueError: It has not.
        TypeError: It is no tensor.
    """
    instance(values, Tensor, name, "a tensor")
    counts = map_counts(tokens)
    if values.dim() == 0 or len(values) != sum(counts):
        raise ValueError(f"expected {name} of {sum(counts)} tokens, got {list(values.shape)}")
    return list(values.split(counts))


def feature_rows(features: Any, tokens: TokenData) -> list[Tensor]:
    """Feature vectors [n, D] of each image's tokens.

    Raises:
        ValueError: They are not [N, D], or not finite.
        TypeError: They are no tensor of floats.
    """
    rows = rows_of(features, tokens, "features")
    if features.dim() != 2 or features.shape[1] == 0:
        raise ValueError(f"expected features [N, D], got {list(features.shape)}")
    if not features.is_floating_point():
        raise TypeError(f"expected features of floats, got {features.dtype}")
    if not bool(torch.isfinite(features).all()):
        raise ValueError("expected finite features, got NaN or Inf among them")
    return rows
