"""Tokens from overlapping masks, as segment-anything models give them."""

from collections.abc import Sequence
from typing import Any, SupportsIndex

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from spitgraph.batching import set_node_attribute
from spitgraph.checks import boolean, integer, one_of
from spitgraph.contraction import Settings
from spitgraph.contraction.start import Start, contract_from
from spitgraph.data import TokenData, tokens_from_hierarchy
from spitgraph.hierarchy import Hierarchy
from spitgraph.images import ImagesLike, checked_images
from spitgraph.modes import exact_device
from spitgraph.tokenizers.fill import cover_of, filled
from spitgraph.tokenizers.mask_lists import ORDERS, mask_lists, painted


def from_masks(
    images: ImagesLike,
    masks: Any,
    *,
    order: str = "smallest",
    connected: bool = False,
    min_size: SupportsIndex = 0,
    levels: SupportsIndex = 4,
    num_tokens: SupportsIndex | None = None,
    **options: Any,
) -> TokenData:
    """Token graphs of images with overlapping masks: every pixel gets exactly one token.

    Where masks overlap, one lies on top (`order`), and what is to be seen of it becomes a token. A
    mask that others hide altogether becomes none. Pixels that no mask covers are contracted into
    superpixels of their own, so that the borders of masks stay where they are.

    Levels of the hierarchy: the masks with the first contraction of what they leave uncovered, and
    so on; and then, if fewer tokens are wanted than there are, contraction of everything.

    Args:
        images: Anything `spitgraph.images.load_images` takes.
        masks: Of one image, a bool tensor or array [M, H, W], a list of [H, W], or a list of
            mappings with such a `"segmentation"`, as SAM's generator returns. For a batch or list
            of images, a list of these.
        order: What lies on top: `"smallest"`, the mask of fewest pixels, of equal ones the earlier;
            or `"given"`, the earlier mask.
        connected: Whether each connected piece that is to be seen becomes a token of its own.
        min_size: Uncovered pieces of fewer pixels than this, such as slivers between masks, join
            the touching mask that they resemble most, whose border then moves.
        levels: Contraction steps of what is uncovered.
        num_tokens: Exact count K of tokens an image, in place of levels: what is uncovered is
            contracted to as many regions as are left beside the masks; if there are none left,
            or not as many as uncovered pieces, masks are contracted too.
        options: By name, `compactness`, `similarity` and `features` of `Settings`.

    Returns:
        `TokenData` for one image; for a batch or list, a PyG `Batch` of them. Its `mask` [N] int64
        says which mask a token is of, by its place in the list, −1 where it is of none or of
        several.

    Raises:
        ValueError: Masks and images differ in number or size, there are no masks or one has no
            pixels, or `num_tokens` is more than the masks and the pixels that they do not cover.
        TypeError: Masks are not of bools, or an option is of another type.
    """
    one_of(order, ORDERS, "order")
    boolean(connected, "connected")
    least = integer(min_size, "min_size", minimum=0)
    settings = Settings(levels, num_tokens=num_tokens, **options)  # type: ignore[arg-type]
    if settings.is_fine:
        raise ValueError("from_masks contracts by quality='fast', got 'fine'")
    checked, is_batch = checked_images(images)
    lists = mask_lists(checked, masks, is_batch)
    host = exact_device(checked[0].device)
    starts, on_top = [], []
    with torch.no_grad():
        plain_images = [image.detach() for image in checked]
        for index, (image, given) in enumerate(zip(plain_images, lists, strict=True)):
            of = f" of image {index}" if is_batch else ""
            cover = cover_of(painted(given, order).to(host), connected=connected)
            start, mask = filled(image, cover, settings, least, of)
            starts.append(start)
            on_top.append(mask.flatten())
        hierarchy = hierarchy_of(plain_images, starts, settings)
    tokens = tokens_from_hierarchy(checked, hierarchy.to(checked[0].device), is_batch=is_batch)
    set_node_attribute(tokens, "mask", mask_of_tokens(hierarchy, on_top).to(checked[0].device))
    return tokens


def hierarchy_of(
    images: Sequence[Shaped[Tensor, "3 _H _W"]], starts: Sequence[Start], settings: Settings
) -> Hierarchy:
    """The hierarchy of filled covers, contracted further where fewer tokens are wanted."""
    if settings.num_tokens is not None:
        return contract_from(images, starts, settings)
    return Hierarchy.from_parents([s.parents for s in starts], [s.counts for s in starts])


def mask_of_tokens(hierarchy: Hierarchy, on_top: list[Int64[Tensor, " _"]]) -> Int64[Tensor, " N"]:
    """The mask of each token, −1 for none or several."""
    mask = torch.cat(on_top).to(hierarchy.cluster.device)
    low, high = (hierarchy.pool(mask, hierarchy.depth, reduce) for reduce in ("min", "max"))
    return torch.where(low == high, low, -1)
