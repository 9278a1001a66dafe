"""A page for the browser: one file that shows tokens and needs nothing else."""

import json
import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from spitgraph.checks import boolean, file_path
from spitgraph.data import TokenData
from spitgraph.extractors.base import Extractor
from spitgraph.extractors.interpolation import InterpolationExtractor
from spitgraph.extractors.interpolation.layout import VectorLayout
from spitgraph.inspection.overlay import image_of, mean_colors, seg_of
from spitgraph.inspection.page.payload import pack_masks, pack_tokens, pooled
from spitgraph.inspection.page.picture import Picture, embedded
from spitgraph.inspection.page.vectors import Patches, patches

if TYPE_CHECKING:
    from spitgraph.explain import Attribution

#: Partitions beside each other, at most; more would leave no room for the picture.
MOST_VIEWS = 4
#: Bytes that compressed vectors of all views may take, beside as many as the picture has.
ROOM = 90_000
#: In the order in which they run.
SCRIPTS = (
    *("inflate", "decode", "colours", "partition", "layers", "stage", "panel", "pins"),
    *("controls", "main"),
)
#: Characters that would end a script, or a line of one, wherever they stand.
UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


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
    from spitgraph.models.files import written_beside

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
    room = (ROOM + len(picture.content)) // len(views)
    packed = []
    for view, name, theirs in zip(views, called, scores, strict=True):
        shown = patches_of(view, extractor, room) if boolean(vectors, "vectors") else None
        packed.append(pack_tokens(view, name, shown, theirs))
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


# ---- what is given ---------------------------------------------------------------------------------


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


# ---- what is shown of it ---------------------------------------------------------------------------


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
        raise ValueError(f"expected an image of the tokens' size {shape}, got {list(image.shape)}")
    return embedded(as_bytes(image), source), True


def as_bytes(image: Tensor) -> np.ndarray:
    """A picture [3, H, W] in [0, 1] as [H, W, 3] of bytes."""
    return (image.detach() * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()


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


# ---- the file --------------------------------------------------------------------------------------


def filled(about: dict[str, Any], picture: Picture, pieces: list[bytes]) -> str:
    """The template with everything in it."""
    style, script = asset("page.css"), program()
    return template().render(
        about=about,
        data=as_json(about),
        style=style,
        script=script,
        style_hash=hash_of(style),
        script_hash=hash_of(script),
        picture=f"data:{picture.kind};base64,{b64encode(picture.content).decode()}",
        pieces=[b64encode(piece).decode() for piece in pieces],
    )


def as_json(value: Any) -> str:
    """JSON that is safe between the tags of a script.

    ASCII alone, so that neither U+2028 nor half a surrogate pair stands in it.
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False).translate(UNSAFE)


def hash_of(text: str) -> str:
    """What a content security policy calls an inline script or style by."""
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


@cache
def program() -> str:
    """All scripts as one, with a scope of its own."""
    parts = [asset(f"{name}.js") for name in SCRIPTS]
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "\n})();"


@cache
def asset(name: str) -> str:
    """A file that belongs to the page."""
    return (files("spitgraph.inspection.page") / "assets" / name).read_text(encoding="utf-8")


@cache
def template() -> Any:
    """The template of the page; whatever is filled in is text there, but style and scripts."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(asset("page.html"))
