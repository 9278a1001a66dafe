"""What a notebook shows of tokens: a small card of HTML that needs nothing else."""

import io
from base64 import b64encode
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from spitgraph.attributes import ATTRIBUTES, OF_TOKENS
from spitgraph.batching import is_batched
from spitgraph.inspection.canvas import panel_size
from spitgraph.inspection.overlay import YELLOW, border_sides, to_pil

if TYPE_CHECKING:
    from spitgraph.data import TokenData

#: Pixels of a picture's longer side, of one image and in the rows of a batch. With a byte a pixel
#: (below) the larger is at most 56 kB, whatever it shows.
SIDE, SMALL_SIDE = 200, 64
#: Images of a batch that get a row.
MOST_ROWS = 8
#: Colours of a picture: one byte a pixel, and no more to be seen at this size.
COLORS = 256
#: Borders are drawn where tokens have as many pixels of the picture on average; where they would
#: hide it, regions have their mean colours.
LEAST_PIXELS = 60
#: Opacity of borders.
BORDER = 0.6
#: Neither text nor background have colours: they are the notebook's, be it light or dark.
GREY = "rgba(128,128,128,.45)"
CARD = (
    f"display:inline-flex;gap:14px;align-items:flex-start;border:1px solid {GREY};"
    "border-radius:6px;padding:10px 12px;max-width:100%;font:13px/1.45 system-ui,sans-serif"
)
TABLE = "border-collapse:collapse;font:inherit;color:inherit"
CELL = f"padding:1px 10px 1px 0;text-align:left;border-bottom:1px solid {GREY};background:none"


def card(tokens: "TokenData") -> str:
    """The tokens of an image or a batch as HTML.

    A thumbnail with the borders of the regions, counts, levels and attributes; of a batch, a row
    an image. What cannot be shown, of parts of a graph for instance, says why. It never raises.
    """
    try:
        return batch_card(tokens) if is_batched(tokens) else image_card(tokens)
    except Exception as error:  # a notebook that shows a broken graph has to show something
        told = escape(f"{type(error).__name__}: {error}")
        return f"<pre>{escape(type(tokens).__name__)}: no card ({told})</pre>"


def image_card(tokens: "TokenData") -> str:
    """The card of one image."""
    facts = {
        "tokens": node_count(tokens),
        "edges": edge_count(tokens),
        "levels": levels(tokens),
    }
    rows = "".join(
        f'<tr style="background:none"><td style="{CELL};opacity:.75">{name}</td>'
        f'<td style="{CELL}">{escape(value)}</td></tr>'
        for name, value in facts.items()
    )
    return (
        f'<div style="{CARD}">{picture(tokens, SIDE)}<div style="min-width:0">'
        f"<b>{escape(type(tokens).__name__)}</b> {escape(pixel_size(tokens))}"
        f'<table style="{TABLE};margin:4px 0">{rows}</table>'
        f"{attributes(tokens)}</div></div>"
    )


def batch_card(tokens: "TokenData") -> str:
    """The card of a batch: a row for each of the first images."""
    total = tokens.num_graphs
    try:
        rows = [image_row(tokens[place]) for place in range(min(total, MOST_ROWS))]
    except (ValueError, IndexError, RuntimeError, KeyError) as error:
        rows, more = [], f"images are not known apart: {error}"
    else:
        rows.insert(0, table_row(("", "image", "tokens", "edges", "levels"), "th"))
        more = f"… and {total - MOST_ROWS:,} more" if total > MOST_ROWS else ""
    summary = f"{total:,} images · {node_count(tokens)} tokens · {edge_count(tokens)}"
    return (
        f'<div style="{CARD}"><div style="min-width:0"><b>Batch of TokenData</b> {escape(summary)}'
        f'<table style="{TABLE};margin:4px 0">{"".join(rows)}</table>'
        f"<div>{escape(more)}</div>{attributes(tokens)}</div></div>"
    )


def image_row(image: "TokenData") -> str:
    """One image of a batch."""
    facts = (pixel_size(image), node_count(image), edge_count(image), levels(image))
    return table_row((picture(image, SMALL_SIDE), *map(escape, facts)))


def table_row(cells: Iterable[str], kind: str = "td") -> str:
    """Cells that are HTML already."""
    inside = "".join(f'<{kind} style="{CELL}">{cell}</{kind}>' for cell in cells)
    return f'<tr style="background:none">{inside}</tr>'


def pixel_size(tokens: "TokenData") -> str:
    """Width and height."""
    size = tokens._store.get("image_size")
    if not isinstance(size, Tensor) or size.shape != (1, 2):
        return ""
    height, width = size[0].tolist()
    return f"{width:,} × {height:,} pixels"


def node_count(tokens: "TokenData") -> str:
    """How many tokens there are."""
    held = (len(tokens._store[name]) for name in OF_TOKENS if name in tokens._store)
    return f"{next(held, 0):,}"


def edge_count(tokens: "TokenData") -> str:
    """How many pairs of regions touch."""
    edges = tokens._store.get("edge_index")
    if not isinstance(edges, Tensor):
        return "none held"
    return f"{edges.shape[1] // 2:,} pairs that touch"


def levels(tokens: "TokenData") -> str:
    """Regions at every level, or why they are not known."""
    try:
        counts = tokens.tree.image_counts[0]
    except (ValueError, IndexError) as error:
        return f"not known: {error}"
    return " → ".join(f"{count:,}" for count in counts)


def picture(tokens: "TokenData", side: int) -> str:
    """A thumbnail with borders, as an element of HTML; or why there is none."""
    try:
        thumbnail = thumbnail_of(tokens, side)
    except (ValueError, RuntimeError, TypeError) as error:
        style = f"width:{side}px;font-size:11px;opacity:.75;overflow-wrap:anywhere"
        return f'<div style="{style}">no picture: {escape(str(error))}</div>'
    file = io.BytesIO()
    thumbnail.save(file, format="PNG")
    data = b64encode(file.getvalue()).decode("ascii")
    return (
        f'<img alt="the image, borders of its regions drawn in" src="data:image/png;base64,{data}" '
        f'style="width:{thumbnail.width}px;height:{thumbnail.height}px;flex:none;margin:0;'
        'image-rendering:pixelated">'
    )


def thumbnail_of(tokens: "TokenData", side: int) -> Image.Image:
    """The image with borders, or its regions in mean colours, made small or large."""
    seg = tokens.seg[0]
    wide, tall = (max(1, round(length)) for length in panel_size(seg.shape, float(side)))
    rows, columns = (
        sampled(old, new, seg.device) for old, new in zip(seg.shape, (tall, wide), strict=True)
    )
    regions = seg[rows[:, None], columns]
    bordered = regions.numel() >= LEAST_PIXELS * len(tokens.size)
    if bordered and "pixels" in tokens:
        small = averaged(tokens.pixels.detach().reshape(*seg.shape, 3), tall, wide)
    else:
        small = tokens.color.detach()[regions].permute(2, 0, 1)
    if bordered:
        paint = small.new_tensor(YELLOW)[:, None, None]
        line, _ = border_sides(regions)
        small = torch.where(line, torch.lerp(small, paint, BORDER), small)
    return to_pil(small.clamp(0, 1)).quantize(COLORS, Image.Quantize.FASTOCTREE)


def sampled(old: int, new: int, device: torch.device) -> Tensor:
    """Of each of so many pixels of a thumbnail's side, the one of the image at its middle."""
    return (2 * torch.arange(new, device=device) + 1) * old // (2 * new)


def averaged(pixels: Tensor, height: int, width: int) -> Tensor:
    """An image [H, W, 3] at another size, [3, height, width]: means of about four pixels a side."""
    rows, columns = (
        sampled(old, min(old, 4 * new), pixels.device)
        for old, new in zip(pixels.shape, (height, width), strict=False)
    )
    some = pixels[rows[:, None], columns].permute(2, 0, 1)
    if some.shape[1] < height or some.shape[2] < width:
        down, right = (
            sampled(old, new, pixels.device)
            for old, new in zip(some.shape[1:], (height, width), strict=True)
        )
        return some[:, down[:, None], right]
    return torch.nn.functional.adaptive_avg_pool2d(some[None], (height, width))[0]


def attributes(tokens: "TokenData") -> str:
    """What is held, to be unfolded: name, shape, type and meaning."""
    rows = []
    for name, value in tokens.to_dict().items():
        shape = list(value.shape) if isinstance(value, Tensor) else ""
        kind = str(value.dtype).removeprefix("torch.") if isinstance(value, Tensor) else ""
        kind = kind or type(value).__name__
        meaning = ATTRIBUTES[name].meaning if name in ATTRIBUTES else ""
        rows.append(table_row(escape(str(cell)) for cell in (name, shape, kind, meaning)))
    return (
        f'<details><summary style="cursor:pointer;opacity:.75">{len(rows)} attributes</summary>'
        f'<table style="{TABLE};font-size:12px">{"".join(rows)}</table></details>'
    )
