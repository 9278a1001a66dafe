"""How an image's regions grow, level by level."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, SupportsIndex

from spitgraph.checks import integers
from spitgraph.data import TokenData
from spitgraph.inspection.canvas import add_panel, new_figure, panel_size, show_picture
from spitgraph.inspection.overlay import image_of, mean_colors, seg_of, to_pil

if TYPE_CHECKING:
    import matplotlib.figure

#: Inches; titles need the least width, and rows end before they are wider than a page.
LEAST_WIDTH, MOST_WIDTH, MOST_HEIGHT, TITLE, GAP, WIDEST = 2.3, 3.9, 2.6, 0.3, 0.05, 16.0


def plot_hierarchy(
    tokens: TokenData, levels: SupportsIndex | Iterable[SupportsIndex] | None = None
) -> "matplotlib.figure.Figure":
    """Pictures in rows, one a level: the image, its regions painted with their mean colours.

    The figure belongs to no window: show it by ending a notebook cell with it, keep it by
    `savefig`.

    Args:
        tokens: One image, with its pixels.
        levels: Which levels to show, 0 being the image itself; all by default.

    Raises:
        ValueError: A batch, dropped pixels, nodes that are no longer the image's tokens, or there
            is no such level.
        TypeError: No token graph, or a level is not a whole number.
        ImportError: Matplotlib is missing.
    """
    height, width = seg_of(tokens).shape
    levels = range(tokens.tree.depth + 1) if levels is None else integers(levels, "levels")
    if not levels:
        raise ValueError("levels must name at least one level, got none")
    pictures = []
    for level in levels:
        at_level = tokens.to_level(level) if level else tokens
        count = len(at_level.size)
        title = f"level {level} · {count:,} region{'s' if count > 1 else ''}" if level else "image"
        pictures.append((title, mean_colors(at_level) if level else image_of(tokens)))
    wide, tall = panel_size((height, width), min(MOST_WIDTH, MOST_HEIGHT * width / height))
    if height > width:
        wide, tall = panel_size((height, width), MOST_HEIGHT)
    step = max(wide, LEAST_WIDTH) + GAP
    columns = max(1, min(len(pictures), int((WIDEST + GAP) / step)))
    rows = -(-len(pictures) // columns)
    figure = new_figure(columns * step - GAP, rows * (tall + TITLE))
    for place, (title, picture) in enumerate(pictures):
        left = place % columns * step + (step - GAP - wide) / 2
        bottom = (rows - 1 - place // columns) * (tall + TITLE)
        axes = add_panel(figure, left, bottom, wide, tall)
        axes.set_title(title, fontsize=11)
        show_picture(axes, to_pil(picture))
    return figure
