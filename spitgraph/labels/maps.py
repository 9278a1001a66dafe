"""Label maps of pixels, checked, and what the pixels of a token vote for."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64
from PIL import Image
from torch import Tensor

from spitgraph.batching import is_batched
from spitgraph.checks import instance, integer
from spitgraph.data import TokenData
from spitgraph.extensions import scatter_max
from spitgraph.modes import exact_device
from spitgraph.pixel_map import map_counts
from spitgraph.tensors import ordered_labels

#: Modes of Pillow in which a picture's numbers are labels.
_LABEL_MODES = ("1", "L", "P", "I", "I;16")


def per_image(tokens: TokenData, given: Any, name: str) -> list[Any]:
    """Of each image of a graph or batch, its own.

    Raises:
        TypeError: There are no tokens, or of a batch no list is given.
        ValueError: The list is of another length.
        NotHeldError: The nodes are no longer the tokens of their pixel map.
    """
    instance(tokens, TokenData, "tokens", "a TokenData or a batch of them")
    map_counts(tokens)
    if not is_batched(tokens):
        return [given]
    if not isinstance(given, Sequence | Tensor | np.ndarray) or isinstance(given, str):
        raise TypeError(f"a batch needs {name} of each image, got {type(given).__name__}")
    count = len(tokens.image_size)
    if len(given) != count:
        raise ValueError(f"expected {name} of {count} images, got {len(given)}")
    return list(given)


def flat_labels(tokens: TokenData, maps: Any, name: str = "labels") -> Int64[Tensor, " P"]:
    """The label of each pixel, image after image, on the tokens' device.

    Args:
        tokens: One image or a batch.
        maps: [H, W] integers of one image (or [1, H, W], or a picture of mode L or P); of a batch,
            [B, H, W] or a list.
        name: What errors call them.

    Raises:
        ValueError: They do not fit the images.
        TypeError: They are not integers.
    """
    flat = []
    sizes = tokens.image_size.tolist() if isinstance(tokens, TokenData) else []
    for index, (one, size) in enumerate(zip(per_image(tokens, maps, name), sizes, strict=True)):
        called = f"{name} of image {index}" if is_batched(tokens) else name
        flat.append(checked_map(one, size, called).flatten().to(tokens.cluster.device))
    return torch.cat(flat)


def checked_map(given: Any, size: list[int], name: str) -> Int64[Tensor, "..."]:
    """One label map."""
    if isinstance(given, Image.Image):
        if given.mode not in _LABEL_MODES:
            raise TypeError(f"{name} must be a picture of mode L or P, got mode {given.mode}")
        given = np.asarray(given)
    labels = ordered_labels(np.asarray(given) if isinstance(given, list) else given)
    if labels is None or getattr(given, "dtype", None) in (np.uint64, torch.uint64):
        came = getattr(given, "dtype", type(given).__name__)
        raise TypeError(f"{name} must be integers of at most 63 bits, got {came}")
    if list(labels.shape) not in (size, [1, *size]):
        raise ValueError(f"{name} must be {size} like the image, got {list(labels.shape)}")
    return labels


class Vote(NamedTuple):
    """What most of a token's pixels are.

    Attributes:
        label: [N] int64, of equally many the lower.
        share: [N] float32, the share of all of the token's pixels that are so.
    """

    label: Int64[Tensor, " N"]
    share: Float32[Tensor, " N"]


def majority(tokens: TokenData, labels: Int64[Tensor, " P"], ignore_index: int | None) -> Vote:
    """What most pixels of each token are, ignored ones aside.

    A token whose pixels are all ignored is so itself, and 0 of it agrees.
    """
    device = tokens.cluster.device
    cluster, labels = (values.to(exact_device(device)) for values in (tokens.cluster, labels))
    size = cluster.bincount(minlength=sum(map_counts(tokens)))
    known, index = numbered(labels)
    k = len(known)
    pair, votes = counted(cluster * k + index, len(size) * k)
    token, place = pair.div(k, rounding_mode="floor"), pair % k
    if ignore_index is not None:
        votes = votes.masked_fill(known[place] == ignore_index, 0)
    # most votes first, then the lower label: one number holds both
    best = scatter_max(votes * k + (k - 1 - place), token, torch.full_like(size, -1))
    most = best.div(k, rounding_mode="floor")
    label = known[k - 1 - best % k]
    if ignore_index is not None:
        label = torch.where(most > 0, label, ignore_index)
    return Vote(label.to(device), (most.double() / size).float().to(device))


def numbered(labels: Int64[Tensor, " P"]) -> tuple[Int64[Tensor, " k"], Int64[Tensor, " P"]]:
    """Labels that there may be, in ascending order, and which of them each pixel has."""
    low, high = (int(bound) for bound in labels.aminmax())
    if high - low < len(labels):
        return torch.arange(low, high + 1, device=labels.device), labels - low
    return labels.unique(return_inverse=True)


def counted(
    values: Int64[Tensor, " P"], most: int
) -> tuple[Int64[Tensor, " c"], Int64[Tensor, " c"]]:
    """The values below `most` that occur, in ascending order, and how often."""
    if most > 4 * len(values):
        return values.unique(return_counts=True)
    count = values.bincount(minlength=most)
    there = count.nonzero()[:, 0]
    return there, count[there]


def checked_ignored(value: Any) -> int | None:
    """The label that is ignored, or None for none."""
    return None if value is None else integer(value, "ignore_index", minimum=None)
