"""Tokenizers side by side, on one image."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float32
from torch import Tensor

from spitgraph.checks import integers
from spitgraph.data import TokenData
from spitgraph.extras import needs_extra
from spitgraph.inspection.canvas import add_panel, new_figure, panel_size, show_picture
from spitgraph.inspection.overlay import (
    border_sides,
    enlarged,
    image_of,
    mean_colors,
    seg_of,
    to_pil,
    with_borders,
)
from spitgraph.metrics import compactness, explained_variation

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure
    import pandas

#: Inches: of a panel's longer side and least width, the title, a line of numbers, and between.
LONG_SIDE, LEAST_WIDTH, TITLE, LINE, GAP, MARGIN, WIDEST = 3.2, 2.3, 0.3, 0.17, 0.08, 0.08, 16.0
#: Pixels: a cut-out has at least these, and is shown enlarged to about so many.
LEAST_CUT, SHOWN = 48, 480


def comparison_table(tokens: Mapping[str, TokenData]) -> "pandas.DataFrame":
    """One row a tokenizer: how many tokens it made of the image, and how good they are.

    Columns: `tokens`; `median_size` (pixels); `explained_variation` and `compactness` (see
    `spitgraph.metrics`); `contour`, the share of pixels that lie left of or above a border.

    Args:
        tokens: Token graphs of one image by the names to show, with their pixels.

    Raises:
        ValueError: Nothing to compare, batches, different images, dropped pixels, or nodes that are
            no longer the image's tokens.
        TypeError: No token graphs.
        ImportError: Pandas is missing.
    """
    with needs_extra("plot"):
        import pandas
    rows = {}
    for name, graph in of_one_image(tokens).items():
        seg = seg_of(graph)
        rows[name] = {
            "tokens": len(graph.size),
            "median_size": float(graph.size.double().quantile(0.5)),
            "explained_variation": explained_variation(seg, image_of(graph)),
            "compactness": compactness(seg),
            "contour": float(border_sides(seg)[0].double().mean()),
        }
    return pandas.DataFrame.from_dict(rows, orient="index").rename_axis("tokenizer")


def plot_comparison(
    tokens: Mapping[str, TokenData], *, crop: Any = None
) -> "matplotlib.figure.Figure":
    """Tokenizers side by side: borders on a cut-out, the whole image in mean colours, numbers.

    The same cut-out is enlarged above, and framed below. Numbers are those of `comparison_table`.
    The figure belongs to no window; see `plot_hierarchy`.

    Args:
        tokens: Token graphs of one image by the names to show, with their pixels.
        crop: (x_min, y_min, x_max, y_max) of the cut-out, maxima exclusive; the middle by default.

    Raises:
        ValueError: As `comparison_table`; or the cut-out lies outside the image.
        TypeError: No token graphs, or no whole numbers.
        ImportError: Matplotlib or pandas is missing.
    """
    table = comparison_table(tokens)
    shape = seg_of(next(iter(tokens.values()))).shape
    box = middle_of(*shape) if crop is None else checked_crop(crop, *shape)
    cut = panel_size((box[3] - box[1], box[2] - box[0]), LONG_SIDE)
    whole = panel_size(shape, LONG_SIDE)
    step = max(cut[0], whole[0], LEAST_WIDTH) + GAP
    columns = max(1, min(len(tokens), int((WIDEST - 2 * MARGIN + GAP) / step)))
    rows = -(-len(tokens) // columns)
    lines = 4 * LINE + GAP
    tall = TITLE + cut[1] + GAP + whole[1] + lines + GAP
    figure = new_figure(columns * step - GAP + 2 * MARGIN, rows * tall + MARGIN)
    for place, (name, graph) in enumerate(tokens.items()):
        middle = MARGIN + place % columns * step + (step - GAP) / 2
        bottom = MARGIN + (rows - 1 - place // columns) * tall + lines
        axes = add_panel(figure, middle - whole[0] / 2, bottom, *whole)
        show_picture(axes, to_pil(mean_colors(graph)))
        add_frame(axes, box)
        height = figure.get_figheight()
        text = caption(table.loc[name])
        figure.text(
            middle / figure.get_figwidth(),
            (bottom - 0.06) / height,
            text,
            ha="center",
            va="top",
            fontsize=8,
            linespacing=1.25,
        )
        axes = add_panel(figure, middle - cut[0] / 2, bottom + whole[1] + GAP, *cut)
        axes.set_title(name, fontsize=11)
        show_picture(axes, to_pil(cut_out(graph, box)))
    return figure


def caption(row: Any) -> str:
    """The numbers of one tokenizer, as lines."""
    count = int(row["tokens"])
    return (
        f"{count:,} token{'s' * (count > 1)}, median {row['median_size']:,.0f} px\n"
        f"explained variation {row['explained_variation']:.3f}\n"
        f"compactness {row['compactness']:.3f}, contour {row['contour']:.3f}"
    )


def of_one_image(tokens: Any) -> dict[str, TokenData]:
    """The token graphs by name, once they are known to be of the same pixels."""
    if not isinstance(tokens, Mapping):
        raise TypeError(f"expected {{name: tokens}}, got {type(tokens).__name__}")
    if not tokens:
        raise ValueError("expected at least one token graph, got none")
    images = {name: image_of(graph).cpu() for name, graph in tokens.items()}
    (first, image), *others = images.items()
    for name, other in others:
        if image.shape != other.shape or not torch.equal(image, other):
            raise ValueError(
                f"expected tokens of one image, got {first!r} and {name!r} of different ones "
                f"({list(image.shape[1:])} and {list(other.shape[1:])})"
            )
    return dict(tokens)


def middle_of(height: int, width: int) -> list[int]:
    """The box around the middle half of an image, or more of it where that is small."""
    wide, tall = (min(side, max(side // 2, LEAST_CUT)) for side in (width, height))
    left, top = (width - wide) // 2, (height - tall) // 2
    return [left, top, left + wide, top + tall]


def checked_crop(crop: Any, height: int, width: int) -> list[int]:
    """A box, once it is known to lie in the image."""
    box = integers(crop, "crop")
    inside = len(box) == 4 and 0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height
    if not inside:
        raise ValueError(
            f"crop must be (x_min, y_min, x_max, y_max) in {width} × {height} pixels, got {crop}"
        )
    return box


def cut_out(tokens: TokenData, box: list[int]) -> Float32[Tensor, "3 _h _w"]:
    """A part of the image with the borders in it, enlarged so that lines are thin."""
    part = (slice(box[1], box[3]), slice(box[0], box[2]))
    scale = max(1, round(SHOWN / max(box[2] - box[0], box[3] - box[1])))
    picture = enlarged(image_of(tokens)[:, part[0], part[1]], scale)
    return with_borders(picture, enlarged(seg_of(tokens)[part][None], scale)[0])


def add_frame(axes: "matplotlib.axes.Axes", box: list[int]) -> None:
    """A frame around a part of a picture, to be seen on dark and on bright ones."""
    with needs_extra("plot"):
        from matplotlib.patches import Rectangle
    place = (box[0] - 0.5, box[1] - 0.5), box[2] - box[0], box[3] - box[1]
    for color, width in (("black", 2.4), ("white", 1.0)):
        axes.add_patch(Rectangle(*place, fill=False, edgecolor=color, linewidth=width))
