"""Which object a token is of, by masks of instances."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from spitgraph.batching import with_node_attribute
from spitgraph.checks import integer
from spitgraph.data import TokenData
from spitgraph.labels.maps import Vote, checked_ignored, checked_map, majority, per_image
from spitgraph.tokenizers.mask_lists import masks_of_size, painted


def with_instances(
    tokens: TokenData,
    instances: Any,
    *,
    classes: Any = None,
    background: int = 0,
    ignore_index: int | None = 255,
) -> TokenData:
    """A copy of a graph whose tokens know the object that most of their pixels are of.

    Args:
        tokens: One image or a batch, with its pixel map.
        instances: Of one image, numbers of objects [H, W], 0 for none, as PASCAL's; or what
            `from_masks` takes: overlapping masks, of which the smallest lies on top and the first
            is object 1. There may be none. Of a batch, a list.
        classes: Of one image, the classes of objects 1, 2, …; of a batch, a list.
        background: Class of what is of no object.
        ignore_index: Pixels of this number do not vote; None if all count. Masks have none.

    Returns:
        The graph with `instance` [N] int64, of equally many pixels the lower number, and
        `instance_share` [N] float32, the share of the token's pixels that are of it. With classes,
        `y` [N] int64 too, and `y_share`, the share of its pixels that are of objects of this class.

    Raises:
        ValueError: Instances or classes do not fit, or the nodes are no longer their tokens.
        TypeError: Numbers are not integers, or masks not bools.
    """
    ignored = checked_ignored(ignore_index)
    sizes = tokens.image_size.tolist() if isinstance(tokens, TokenData) else []
    given = per_image(tokens, instances, "instances")
    maps = [
        instance_map(one, size, ignored, f"instances of image {index}")
        for index, (one, size) in enumerate(zip(given, sizes, strict=True))
    ]
    labels = torch.cat([m.flatten() for m in maps]).to(tokens.cluster.device)
    tokens = with_vote(tokens, "instance", majority(tokens, labels, ignored))
    if classes is None:
        return tokens
    known = per_image(tokens, classes, "classes")
    class_maps = [
        class_of(m, one, background, ignored, f"image {index}")
        for index, (m, one) in enumerate(zip(maps, known, strict=True))
    ]
    labels = torch.cat([m.flatten() for m in class_maps]).to(tokens.cluster.device)
    return with_vote(tokens, "y", majority(tokens, labels, ignored))


def with_vote(tokens: TokenData, name: str, vote: Vote) -> TokenData:
    """A copy with what most pixels of each token are, and which share of them is."""
    tokens = with_node_attribute(tokens, name, vote.label)
    return with_node_attribute(tokens, f"{name}_share", vote.share)


def instance_map(
    given: Any, size: list[int], ignored: int | None, name: str
) -> Int64[Tensor, "..."]:
    """The object of each pixel, 0 for none."""
    is_stack = isinstance(given, Sequence) and not _is_rows(given)
    if isinstance(given, Tensor | np.ndarray):
        is_stack = given.ndim == 3 and given.dtype in (torch.bool, np.dtype(bool))
    if not is_stack:
        numbers = checked_map(given, size, name)
        if bool(((numbers < 0) & (numbers != ignored)).any()):
            raise ValueError(f"{name} must be numbers from 0 on, got {int(numbers.min())}")
        return numbers
    if not len(given):
        return torch.zeros(size, dtype=torch.int64, device="cpu")
    masks = masks_of_size(given, size, f" of {name}", torch.device("cpu"))
    return painted(masks, "smallest") + 1


def _is_rows(given: Sequence[Any]) -> bool:
    """Whether a list is of the rows of a map, rather than of masks."""
    return bool(given) and isinstance(given[0], Sequence)


def class_of(
    numbers: Int64[Tensor, "..."], classes: Any, background: int, ignored: int | None, name: str
) -> Int64[Tensor, "..."]:
    """The class of each pixel, by that of its object."""
    known = object_classes(classes, background, name).to(numbers.device)
    is_ignored = numbers == ignored if ignored is not None else torch.zeros_like(numbers).bool()
    inside = numbers.masked_fill(is_ignored, 0)
    if int(inside.max()) >= len(known):
        raise ValueError(
            f"classes of {name} are of {len(known) - 1} objects, but there is an object "
            f"{int(inside.max())}"
        )
    found = known[inside]
    return found if ignored is None else found.masked_fill(is_ignored, ignored)


def object_classes(classes: Any, background: int, name: str) -> Int64[Tensor, " k"]:
    """The classes of objects 0, 1, 2, …, where 0 is none."""
    integer(background, "background", minimum=None)
    values = classes.tolist() if isinstance(classes, Tensor | np.ndarray) else classes
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise TypeError(f"classes of {name} must be integers [K], got {classes!r}")
    found = [integer(value, f"classes of {name}", minimum=None) for value in values]
    if background in found:
        raise ValueError(
            f"classes of {name} hold {background}, which is that of the background: give another"
        )
    return torch.tensor([background, *found], device="cpu")
