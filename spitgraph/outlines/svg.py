"""An SVG file of regions: one path each, in groups of the regions that they became part of."""

from collections.abc import Sequence
from html import escape

import torch
from jaxtyping import Int64
from torch import Tensor

from spitgraph.outlines.arcs import Arcs
from spitgraph.outlines.paths import path_data
from spitgraph.outlines.rings import Rings
from spitgraph.outlines.triangles import UNIT

#: Width of what is drawn beneath the regions, in pixels: half of it lies under either side.
BLEED = 1.5
#: Of outlines that are not filled, in pixels.
STROKE = 0.5
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
    'width="{width}" height="{height}" viewBox="0 0 {width} {height}">\n'
)


def svg_text(
    arcs: Arcs,
    rings: Rings,
    fills: Sequence[str] | None,
    *,
    shares: Int64[Tensor, " P"] | None = None,
    parents: Sequence[Int64[Tensor, " _"]] = (),
    level: int = 1,
    title: str | None = None,
) -> str:
    """An SVG file as text.

    Where two paths meet, renderers that soften edges mix each with what lies beneath, and show a
    hairline of it. So every region is drawn twice: first all of them with a line around in their
    own colour, which runs on under their neighbours, and the regions themselves above. What shines
    through is then one of the two regions, and no border moves.

    Args:
        arcs: Traced, or simplified.
        rings: Of these.
        fills: Colour of each region, as `#rrggbb`; without, borders are drawn as lines.
        shares: How far points are rounded off (see `smooth`).
        parents: Region of the next level that each region becomes part of, level by level: a group
            each.
        level: Of the regions, as groups and paths say it.
        title: Of the file.
    """
    data = [""] * (int(rings.region.max()) + 1)
    for region, ring in zip(rings.region.tolist(), path_data(arcs, rings, shares), strict=True):
        data[region] += ring
    items = [
        f'<path id="r{level}-{region}" data-level="{level}" data-region="{region}"'
        f'{_paint(fills, region)} d="{path}"><title>{region}</title></path>\n'
        if path  # numbers may have gaps
        else ""
        for region, path in enumerate(data)
    ]
    for above, parent in enumerate(parents, level + 1):
        items = _grouped(items, parent, above)
    unit = 1 if shares is None else UNIT
    scaled = "" if unit == 1 else f' transform="scale({1 / unit:g})"'
    regions = f'<g id="regions"{scaled}>\n{"".join(items)}</g>\n'
    if fills is None:
        shown = f'<g fill="none" stroke="#000" {_line(STROKE * unit)}>\n{regions}</g>\n'
    else:
        beneath = f'<use xlink:href="#regions" {_line(BLEED * unit)}/>\n'
        shown = f'{beneath}<g stroke-width="0">\n{regions}</g>\n'
    named = "" if title is None else f"<title>{_as_text(title)}</title>\n"
    head = HEAD.format(width=arcs.width, height=arcs.height)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}{named}{shown}</svg>\n'


def _paint(fills: Sequence[str] | None, region: int) -> str:
    return "" if fills is None else f' fill="{fills[region]}" stroke="{fills[region]}"'


def _line(width: float) -> str:
    return f'stroke-width="{width:g}" stroke-linejoin="round"'


def _grouped(items: Sequence[str], parent: Int64[Tensor, " _"], level: int) -> list[str]:
    """A group for each region of a level, with what became part of it."""
    members: list[list[str]] = [[] for _ in range(int(parent.max()) + 1)]
    for item, region in zip(items, parent.tolist(), strict=True):
        members[region].append(item)
    return [
        f'<g id="r{level}-{region}" data-level="{level}" data-region="{region}" '
        f'inkscape:groupmode="layer" inkscape:label="level {level}, region {region}">\n'
        f"<title>{region}</title>\n{''.join(inside)}</g>\n"
        for region, inside in enumerate(members)
    ]


def hex_colors(colors: Tensor) -> list[str]:
    """Colours [N, 3] in [0, 1] as `#rrggbb`."""
    red, green, blue = (colors * 255).round().to(torch.int64).cpu().unbind(1)
    return [f"#{value:06x}" for value in ((red << 16) + (green << 8) + blue).tolist()]


def _as_text(text: str) -> str:
    """Text as XML holds it: escaped, and without the characters that no XML may have."""
    return escape("".join(c if _is_allowed(ord(c)) else "\ufffd" for c in text))


def _is_allowed(code: int) -> bool:
    """Whether XML 1.0 may hold a character (section 2.2)."""
    return (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or (0x10000 <= code <= 0x10FFFF)
    )
