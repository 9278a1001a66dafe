"""Regions painted by what is known of their tokens."""

from typing import TYPE_CHECKING, Any

import torch

from spitgraph.checks import boolean
from spitgraph.data import TokenData
from spitgraph.inspection.canvas import panel_size
from spitgraph.inspection.overlay import border_sides, seg_of
from spitgraph.inspection.scale import as_values, color_scale, figure_with_bar, show_missing
from spitgraph.inspection.statistics import token_statistics

if TYPE_CHECKING:
    import matplotlib.figure

#: Inches of the picture's longer side.
LONG_SIDE = 5.0
#: What is left of the colours along borders.
BORDER = 0.75


def plot_values(
    tokens: TokenData,
    values: Any,
    *,
    label: str | None = None,
    center: float | None = None,
    log: bool = False,
    borders: bool = True,
) -> "matplotlib.figure.Figure":
    """The image's regions painted by a value of each token, with a colour bar.

    Colours go evenly from dark blue (least) to yellow (greatest); around a centre from blue (below)
    over white to red (above). Tokens without a value (NaN or infinite) are hatched. The figure
    belongs to no window; see `plot_hierarchy`.

    Args:
        tokens: One image.
        values: [N] numbers, as a tensor, array, list or series; or the name of a column of
            `token_statistics`, as `"size"`.
        label: What stands above the picture; the column's or series' name by default.
        center: A value that is neither much nor little, as 0 of what has two signs.
        log: Whether equal ratios are equal steps of colour, as suits sizes.
        borders: Whether to draw the borders of the regions, as darker lines.

    Raises:
        ValueError: A batch, nodes that are no longer the image's tokens, no such column, not a
            value a token, or no logarithms of them.
        TypeError: No token graph, or no numbers.
        ImportError: Matplotlib or pandas is missing.
    """
    seg = seg_of(tokens).cpu()
    if label is None:
        label = values if isinstance(values, str) else str(getattr(values, "name", None) or "")
    if isinstance(values, str):
        values = column(tokens, values)
    numbers = as_values(values, len(tokens.size), "tokens")
    scale = color_scale(numbers, center, log)
    colors = torch.from_numpy(scale.to_rgba(numbers.numpy(), bytes=True))  # [N, 4]
    missing = numbers.isnan()
    colors[missing] = 0
    picture = colors[seg]  # [H, W, 4]
    if boolean(borders, "borders"):
        before, _ = border_sides(seg)
        line = before & ~missing[seg]
        picture[..., :3][line] = (picture[..., :3][line] * BORDER).byte()

    some = bool(missing.any())
    wide, tall = panel_size(seg.shape, LONG_SIDE)
    figure, axes = figure_with_bar(wide, tall, label, None if missing.all() else scale, some)
    axes.imshow(picture.numpy(), aspect="auto", interpolation="nearest")
    show_missing(axes)
    return figure


def column(tokens: TokenData, name: str) -> Any:
    """A column of `token_statistics`, by name."""
    table = token_statistics(tokens)
    if name not in table:
        raise ValueError(f"values must be numbers or one of {', '.join(table)}, got {name!r}")
    return table[name].to_numpy()
