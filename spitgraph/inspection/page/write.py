"""A page for the browser: one file that shows tokens and needs nothing else."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from spitgraph.beside import written_beside
from spitgraph.checks import boolean, file_path
from spitgraph.data import TokenData
from spitgraph.extractors.base import Extractor
from spitgraph.extractors.interpolation import InterpolationExtractor
from spitgraph.extractors.interpolation.layout import VectorLayout
from spitgraph.inspection.overlay import image_of, mean_colors, seg_of
from spitgraph.inspection.page.given import (
    checked_mask,
    checked_names,
    checked_scores,
    checked_views,
    is_path,
    printable,
)
from spitgraph.inspection.page.html import filled, fixed_size
from spitgraph.inspection.page.payload import pack_masks, pack_tokens
from spitgraph.inspection.page.picture import Picture, embedded
from spitgraph.inspection.page.vectors import Patches, patches

if TYPE_CHECKING:
    from spitgraph.explain import Attribution

#: A page of one partition takes so many times the photograph's bytes and so many more, at most, as
#: long as its tokens' own borders fit into that.
TIMES, MORE = 3, 300_000
#: Of these, what names and numbers take.
OUTLINE = 6000


def write_page(
    tokens: TokenData | Sequence[TokenData],
    path: str | os.PathLike[str],
    *,
    image: Any = None,
    title: str | None = None,
    names: Sequence[str] | None = None,
    attributions: "Mapping[str, Attribution | Tensor] | None" = None,
    masks: Mapping[str, Any] | None = None,
    extractor: Extractor | None = None,
    vectors: bool = True,
) -> None:
    """Write a page that shows tokens in the browser: one HTML file, which needs no network.

    Pointing at a region shows its token; a slider walks the levels; layers show photograph, mosaic,
    borders, graph, scores and masks. Several partitions of one image stand beside each other,
    linked. The tokens' own graph is read from their regions, in the browser.

    Args:
        tokens: One image, or several partitions of it, at most 4.
        path: Of the file, which is written beside its place and renamed into it.
        image: Path of the image's file. Its bytes are taken as they are where a browser shows the
            tokens' pixels then; otherwise, and by default, these are encoded anew.
        title: By default the file's name, or "Tokens".
        names: What each partition is called.
        attributions: By name, scores: `Attribution`, or [N] or [H, W] float. Those of pixels, and
            of other tokens, are averaged over these; of several partitions, [N] is refused.
        masks: By name, [H, W] bool.
        extractor: Of the vectors that are shown. By default, `x` of the tokens where they are those
            of an `InterpolationExtractor`, else a new one's.
        vectors: Whether to show vectors.

    Raises:
        ValueError: A batch, partitions of different size, names, scores or masks that do not fit,
            or nodes that are no longer the image's tokens.
        TypeError: No token graphs, or something else is not what it should be.
        OSError: The file cannot be written.
    """
    place = file_path(path, "path")
    page = page_of(
        tokens,
        image=image,
        title=title,
        names=names,
        attributions=attributions,
        masks=masks,
        extractor=extractor,
        vectors=vectors,
    )
    with written_beside(place) as unfinished:
        unfinished.write_text(page, encoding="utf-8", newline="\n")


def page_of(
    tokens: TokenData | Sequence[TokenData],
    *,
    image: Any = None,
    title: str | None = None,
    names: Sequence[str] | None = None,
    attributions: "Mapping[str, Attribution | Tensor] | None" = None,
    masks: Mapping[str, Any] | None = None,
    extractor: Extractor | None = None,
    vectors: bool = True,
) -> str:
    """The page as text; see `write_page`."""
    views = checked_views(tokens)
    shape = tuple(seg_of(views[0]).shape)
    called = checked_names(names, len(views))
    scores = checked_scores(attributions or {}, views)
    shown_masks = {name: checked_mask(mask, name, shape) for name, mask in (masks or {}).items()}
    picture, has_photograph = picture_of(views, image)
    room = room_beside(picture)
    packed, is_shown = [], boolean(vectors, "vectors")
    for view, name, theirs in zip(views, called, scores, strict=True):
        vectors_within = partial(patches_of, view, extractor) if is_shown else nothing
        packed.append(pack_tokens(view, name, room, vectors_within, theirs))
    packed_masks = pack_masks(shown_masks)
    if title is None:
        title = os.path.basename(os.fsdecode(image)) if is_path(image) else "Tokens"
    about = {
        "title": printable(title),
        "height": shape[0],
        "width": shape[1],
        "photograph": has_photograph,
        "views": [view.about for view in packed],
        "masks": packed_masks.about,
    }
    return filled(about, picture, [*(view.content for view in packed), packed_masks.content])


def picture_of(views: list[TokenData], source: Any) -> tuple[Picture, bool]:
    """The photograph, or where no pixels are left a mosaic; and whether it is a photograph."""
    held = next((view for view in views if "pixels" in view), None)
    if held is not None:
        return embedded(as_bytes(image_of(held)), source), True
    if source is None:
        return embedded(as_bytes(mean_colors(views[0]))), False
    from spitgraph.images import load_image

    image, shape = load_image(source), list(seg_of(views[0]).shape)
    if list(image.shape[1:]) != shape:
        raise ValueError(
            f"expected an image of the tokens' size {shape}, got {list(image.shape[1:])}"
        )
    return embedded(as_bytes(image), source), True


def as_bytes(image: Tensor) -> np.ndarray:
    """A picture [3, H, W] in [0, 1] as [H, W, 3] of bytes."""
    return (image.detach() * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()


def room_beside(picture: Picture) -> int:
    """Bytes that a partition may take before they are written in base64, which has 4 for 3."""
    size = len(picture.content)
    return (TIMES * size + MORE - base64_size(size) - fixed_size() - OUTLINE) * 3 // 4


def base64_size(size: int) -> int:
    """Characters of so many bytes."""
    return 4 * -(-size // 3)


def nothing(room: int) -> None:
    """No vectors."""


def patches_of(tokens: TokenData, extractor: Extractor | None, room: int) -> Patches | None:
    """The tokens' vectors, of an extractor or as they have them; None where there are none."""
    x = tokens.x if "x" in tokens else None
    if extractor is None and x is not None and is_interpolated(x):
        return patches(x, room)
    if "pixels" not in tokens:
        return None
    with torch.no_grad():
        return patches((extractor or InterpolationExtractor())(tokens).x, room)


def is_interpolated(x: Tensor) -> bool:
    """Whether vectors have the length of an `InterpolationExtractor`'s, and are finite."""
    try:
        VectorLayout.of_length(x.shape[1])
    except (IndexError, ValueError):
        return False
    return bool(x.isfinite().all())
