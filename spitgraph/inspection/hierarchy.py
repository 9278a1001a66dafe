"""How an image's regions grow, level by level."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, SupportsIndex

from spitgraph.checks import integers
from spitgraph.data import TokenData
from spitgraph.extras import needs_extra
from spitgraph.inspection.overlay import image_of, mean_colors, seg_of, to_pil

if TYPE_CHECKING:
    import matplotlib.figure

#: Inches; titles need the least width.
LEAST_WIDTH, MOST_WIDTH, MOST_HEIGHT, TITLE, GAP = 2.3, 3.9, 2.6, 0.3, 0.05


def plot_hierarchy(
    tokens: TokenData, levels: SupportsIndex | Iterable[SupportsIndex] | None = None
) -> "matplotlib.figure.Figure":
    """A strip of pictures, one a level: the image, its regions painted with their mean colours.

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
    with needs_extra("plot"):
        from matplotlib.figure import Figure
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
    panel_height = min(MOST_HEIGHT, MOST_WIDTH * height / width)
    panel_width = max(LEAST_WIDTH, panel_height * width / height)
    total_width = len(pictures) * (panel_width + GAP) - GAP
    total_height = panel_height + TITLE
    figure = Figure(figsize=(total_width, total_height), dpi=160)
    for place, (title, picture) in enumerate(pictures):
        left = place * (panel_width + GAP) / total_width
        axes = figure.add_axes(
            (left, 0, panel_width / total_width, panel_height / total_height), title=title
        )
        axes.imshow(to_pil(picture))
        axes.set_axis_off()
    return figure
