"""What a page is asked to show, checked once."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from spitgraph.data import TokenData
from spitgraph.inspection.overlay import seg_of
from spitgraph.inspection.page.payload import pooled

#: Partitions beside each other, at most; more would leave no room for the picture.
MOST_VIEWS = 4


def checked_views(tokens: Any) -> list[TokenData]:
    """Partitions of one image, as a list."""
    is_several = isinstance(tokens, Sequence) and not isinstance(tokens, TokenData | str)
    views = list(tokens) if is_several else [tokens]
    if not 1 <= len(views) <= MOST_VIEWS:
        raise ValueError(f"expected 1 … {MOST_VIEWS} partitions of an image, got {len(views)}")
    sizes = [list(seg_of(view).shape) for view in views]
    for size in sizes:
        if size != sizes[0]:
            raise ValueError(f"expected partitions of one image, got sizes {sizes[0]} and {size}")
    return views


def checked_names(names: Any, count: int) -> list[str]:
    """As many names as there are partitions."""
    if names is None:
        return ["tokens"] if count == 1 else [chr(ord("A") + i) for i in range(count)]
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"names must be a list of strings, got {names!r}")
    if len(names) != count:
        raise ValueError(f"expected {count} names, one a partition, got {len(names)}")
    return [printable(name) for name in names]


def checked_scores(attributions: Any, views: list[TokenData]) -> list[dict[str, Tensor]]:
    """Of each partition its tokens' scores by name."""
    if not isinstance(attributions, Mapping):
        raise TypeError(f"attributions must be scores by name, got {attributions!r}")
    per_view: list[dict[str, Tensor]] = [{} for _ in views]
    for name, given in attributions.items():
        for view, scores in zip(views, per_view, strict=True):
            scores[printable(name)] = token_scores(given, name, view, len(views))
    return per_view


def token_scores(given: Any, name: str, tokens: TokenData, num_views: int) -> Tensor:
    """[N] scores of some tokens, out of what was given."""
    values = getattr(given, "map", None) if hasattr(given, "token_data") else given
    if not isinstance(values, Tensor) or not values.is_floating_point():
        raise TypeError(f"attributions[{name!r}] must be an Attribution or floats, got {given!r}")
    count, shape = len(tokens.size), list(seg_of(tokens).shape)
    if values.dim() == 1 and num_views > 1:
        raise ValueError(
            f"attributions[{name!r}]: of {num_views} partitions, give scores of pixels {shape}"
        )
    if list(values.shape) not in ([count], shape):
        raise ValueError(
            f"attributions[{name!r}] must be [{count}] or {shape}, got {list(values.shape)}"
        )
    scores = pooled(values, tokens)
    if not bool(scores.isfinite().all()):
        raise ValueError(f"attributions[{name!r}] must be finite")
    return scores


def checked_mask(mask: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A mask as an array of truth values."""
    array = mask.detach().cpu().numpy() if isinstance(mask, Tensor) else np.asarray(mask)
    if array.dtype != bool or array.shape != shape:
        raise ValueError(
            f"masks[{name!r}] must be {list(shape)} of booleans, "
            f"got {list(array.shape)} of {array.dtype}"
        )
    return array


def printable(text: Any) -> str:
    """Text of one line, with escapes for what is not to be seen, such as bytes that are no text."""
    if not isinstance(text, str):
        raise TypeError(f"names and titles must be strings, got {text!r}")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def is_path(value: Any) -> bool:
    """Whether an image is given as the path of its file."""
    return isinstance(value, str | os.PathLike)
