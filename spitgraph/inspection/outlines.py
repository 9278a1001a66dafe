"""The regions of an image as vectors without gaps: SVG and TopoJSON."""

import os
from typing import Any, NamedTuple, SupportsIndex

import torch
from jaxtyping import Int64
from torch import Tensor

from spitgraph import outlines
from spitgraph.attributes import ATTRIBUTES, OF_TOKENS
from spitgraph.beside import written_beside
from spitgraph.checks import boolean, file_path, integer
from spitgraph.data import TokenData
from spitgraph.inspection.overlay import seg_of
from spitgraph.inspection.scale import color_scale
from spitgraph.inspection.table import token_table
from spitgraph.outlines import Arcs
from spitgraph.outlines.simplify import checked_tolerance
from spitgraph.outlines.svg import hex_colors
from spitgraph.pixel_map import stored

#: Attributes that are no property of a region in a file: vectors, and its number, which is its id.
NO_PROPERTIES = ("x", "token")
#: The least that smoothing may move a border by, in pixels.
LEAST_REACH = 0.5


def write_svg(
    tokens: TokenData,
    path: str | os.PathLike[str],
    *,
    level: SupportsIndex | None = None,
    simplify: float = 0.0,
    smooth: bool = False,
    fill: Any = "mean",
    title: str | None = None,
) -> None:
    """Write the regions of an image as an SVG file, in which neighbours share their borders.

    Every border between two regions is traced once, simplified and smoothed once, and written with
    the same numbers for both, so that there are neither gaps nor overlaps. As it is, the file gives
    the label map back exactly where it is drawn at its size, or at a multiple.

    A region is a `<path id="r{level}-{region}">`; those of levels above are groups around them,
    which editors fold.

    Args:
        tokens: One image.
        path: Of the file.
        level: t, of the regions that are drawn, those of levels above being groups; by default T,
            the tokens.
        simplify: Tolerance in pixels (see `spitgraph.outlines.simplify`); needs Shapely.
        smooth: Whether borders become curves (see `spitgraph.outlines.smooth`), which leave no
            point by more than the tolerance, or half a pixel.
        fill: `"mean"` for mean colours, `"none"` for lines only, the name of a column of
            `token_table`, numbers [N], or colours [N, 3] in [0, 1]; of the regions drawn.
        title: Of the file; by default it has none.

    Raises:
        ValueError: A batch, nodes that are no longer the image's tokens, there is no such level, a
            negative tolerance, or fills that are of other regions.
        TypeError: No token graph, or an argument of the wrong type.
        ImportError: Shapely, or what colours numbers, is missing.
        OSError: The file cannot be written.
    """
    path = file_path(path, "path")
    text = svg(tokens, level=level, simplify=simplify, smooth=smooth, fill=fill, title=title)
    with written_beside(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")


def svg(
    tokens: TokenData,
    *,
    level: SupportsIndex | None = None,
    simplify: float = 0.0,
    smooth: bool = False,
    fill: Any = "mean",
    title: str | None = None,
) -> str:
    """The text that `write_svg` writes."""
    if title is not None and not isinstance(title, str):
        raise TypeError(f"title must be a string, got {title!r}")
    boolean(smooth, "smooth")
    borders = _borders(tokens, level, simplify)
    fills = fill_colors(_at(tokens, borders.level), fill)
    return outlines.svg_text(
        borders.arcs,
        outlines.rings_of(borders.traced),
        fills,
        shares=_smoothed(borders.arcs, float(simplify)) if smooth else None,
        parents=[parent.cpu() for parent in tokens.tree.parents[borders.level :]],
        level=borders.level,
        title=title,
    )


def write_topojson(
    tokens: TokenData,
    path: str | os.PathLike[str],
    *,
    level: SupportsIndex | None = None,
    simplify: float = 0.0,
) -> None:
    """Write the regions of an image as a TopoJSON file: arcs once, an object a level.

    Objects `level-t` to `level-T` have a polygon for each region of that level, made of the same
    arcs, and with what `TokenData` says of it as properties. Coordinates are pixels, y downwards.

    Args:
        tokens: One image. Of levels below T it must hold the pixels.
        path: Of the file.
        level: The lowest that is written; by default T, the tokens.
        simplify: Tolerance in pixels (see `spitgraph.outlines.simplify`); needs Shapely.

    Raises:
        ValueError: A batch, nodes that are no longer the image's tokens, there is no such level,
            or a negative tolerance.
        TypeError: No token graph, or an argument of the wrong type.
        ImportError: Shapely is missing.
        OSError: The file cannot be written.
    """
    path = file_path(path, "path")
    text = topojson(tokens, level=level, simplify=simplify)
    with written_beside(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")


def topojson(
    tokens: TokenData, *, level: SupportsIndex | None = None, simplify: float = 0.0
) -> str:
    """The text that `write_topojson` writes."""
    borders = _borders(tokens, level, simplify)
    objects, parent = {}, None
    parents = [parent.cpu() for parent in tokens.tree.parents]
    for t in range(borders.level, tokens.tree.depth + 1):
        if t > borders.level:
            above = parents[t - 1]
            parent = above if parent is None else above[parent]
        objects[f"level-{t}"] = (parent, properties(_at(tokens, t)))
    return outlines.topojson_text(outlines.topology(borders.traced, borders.arcs, objects))


def properties(tokens: TokenData) -> list[dict[str, Any]]:
    """What each token is like, by names of attributes, as JSON has it."""
    held = [name for name in OF_TOKENS if name not in NO_PROPERTIES and name in tokens]
    columns = [stored(tokens, name).tolist() for name in held]
    for name, column in zip(held, columns, strict=True):
        if ATTRIBUTES[name].dtype == torch.float32:  # what is told of a float32 number
            column[:] = [[float(f"{value:.6g}") for value in row] for row in column]
    return [dict(zip(held, row, strict=True)) for row in zip(*columns, strict=True)]


def fill_colors(tokens: TokenData, fill: Any) -> list[str] | None:
    """The colour of each region, as SVG has it; None where there are to be lines only.

    Raises:
        ValueError: There is no such fill, or it is of other regions.
        TypeError: It is neither a name nor numbers.
    """
    count = len(tokens.size)
    if isinstance(fill, str):
        if fill == "none":
            return None
        if fill == "mean":
            return hex_colors(stored(tokens, "color"))
        table = token_table(tokens)
        if fill not in table:
            known = ", ".join(map(repr, ("mean", "none", *table)))
            raise ValueError(f"fill must be one of {known}, numbers or colours, got {fill!r}")
        fill = table[fill].to_numpy(copy=True)
    try:
        values = torch.as_tensor(fill).detach().double().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"fill must be a name, numbers [N] or colours [N, 3]: {error}") from None
    if values.shape == (count,):
        return hex_colors(_scale(values))
    if values.shape != (count, 3):
        raise ValueError(
            f"fill must be [{count}] numbers or [{count}, 3] colours, one for each region, "
            f"got {list(values.shape)}"
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("colours must be in [0, 1]")
    return hex_colors(values)


class _Borders(NamedTuple):
    level: int
    traced: Arcs
    arcs: Arcs


def _borders(tokens: TokenData, level: SupportsIndex | None, tolerance: float) -> _Borders:
    """The borders at a level, as traced and simplified, on the CPU."""
    shape, depth = seg_of(tokens).shape, tokens.tree.depth
    level = depth if level is None else integer(level, "level", minimum=None)
    if not 1 <= level <= depth:
        raise ValueError(f"level must be in 1 … {depth}, got {level}")
    checked_tolerance(tolerance)
    traced = outlines.trace(tokens.partition(level).view(shape).cpu())
    return _Borders(level, traced, outlines.simplify(traced, tolerance))


def _smoothed(arcs: Arcs, tolerance: float) -> Int64[Tensor, " P"]:
    return outlines.smooth(arcs, max(LEAST_REACH, tolerance))


def _at(tokens: TokenData, level: int) -> TokenData:
    """The tokens at a level; themselves at the last."""
    return tokens if level == tokens.tree.depth else tokens.to_level(level)


def _scale(values: Tensor) -> Tensor:
    """Colours of numbers, as figures have them; grey for what is none."""
    known = values.isfinite()
    numbers = torch.where(known, values, torch.nan)
    colors = torch.from_numpy(color_scale(numbers).to_rgba(numbers.numpy())[:, :3])
    return torch.where(known[:, None], colors, 0.85)
