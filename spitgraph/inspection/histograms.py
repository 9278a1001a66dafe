"""How sizes and shapes of tokens are distributed, drawn."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from spitgraph.data import TokenData
from spitgraph.inspection.canvas import DASHES, SERIES, add_panel, new_figure
from spitgraph.inspection.scale import round_steps
from spitgraph.inspection.statistics import token_statistics
from spitgraph.pixel_map import stored

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

#: Inches: of a panel, the space beside and below it, and of a line of the legend above it.
WIDE, TALL, BESIDE, BELOW, LINE = 3.0, 1.7, 0.6, 0.55, 0.2
COLUMNS, BINS = 3, 30
#: Series that stand higher than this many times the flattest are cut off: the others are seen.
CUT = 3
#: What panels show: label of the axis, ends of the axis (None: of the values), how bins are spaced.
PANELS: dict[str, tuple[str, tuple[float, float] | None, str]] = {
    "size": ("size, in pixels", None, "log"),
    "compactness": ("compactness (square: 0.79)", (0.0, 1.0), "even"),
    "aspect": ("aspect: short axis / long axis", (0.0, 1.0), "even"),
    "extent": ("extent: share of the bounding box", (0.0, 1.0), "even"),
    "degree": ("degree: number of neighbours", None, "whole"),
    "border": ("border of two neighbours, in pixel sides", None, "log"),
}


def plot_statistics(
    tokens: TokenData | Mapping[str, TokenData],
) -> "matplotlib.figure.Figure":
    """Distributions of sizes, shapes, degrees and borders, with their medians.

    What is measured is said at `token_statistics`; borders are of pairs of neighbours. Heights are
    shares of the tokens (or pairs), so that images and tokenizers of different counts compare, and
    end at three times the flattest series; a vertical line is at the median. The figure belongs to
    no window; see `plot_hierarchy`.

    Args:
        tokens: One image, or several token graphs by the names to show.

    Raises:
        ValueError: A batch, nodes that are no longer the image's tokens, or nothing to show.
        TypeError: No token graph.
        ImportError: Matplotlib or pandas is missing.
    """
    named = dict(tokens) if isinstance(tokens, Mapping) else {"": tokens}
    if not named:
        raise ValueError("expected at least one token graph, got none")
    measured = {name: measures(graph) for name, graph in named.items()}
    head = LINE * (len(named) + 0.5)
    rows = -(-len(PANELS) // COLUMNS)
    figure = new_figure(COLUMNS * (WIDE + BESIDE) + 0.1, rows * (head + TALL + BELOW))
    for place, (column, (label, ends, spacing)) in enumerate(PANELS.items()):
        row, left = rows - 1 - place // COLUMNS, place % COLUMNS * (WIDE + BESIDE) + 0.8 * BESIDE
        axes = add_panel(figure, left, row * (head + TALL + BELOW) + BELOW, WIDE, TALL)
        draw_histograms(
            axes, {name: found[column] for name, found in measured.items()}, ends, spacing
        )
        axes.set_xlabel(label, fontsize=9)
    return figure


def measures(tokens: TokenData) -> dict[str, Float64[np.ndarray, " _"]]:
    """Values of each panel."""
    found = {name: column.to_numpy(float) for name, column in token_statistics(tokens).items()}
    source, target = stored(tokens, "edge_index")
    found["border"] = stored(tokens, "edge_attr")[source < target, 0].cpu().numpy().astype(float)
    return found


def draw_histograms(
    axes: "matplotlib.axes.Axes",
    series: Mapping[str, Float64[np.ndarray, " _"]],
    ends: tuple[float, float] | None,
    spacing: str,
) -> None:
    """Outlines of the shares in each bin, one series over the other, and a legend above."""
    edges = bin_edges(np.concatenate(list(series.values())), ends, spacing)
    highest = []
    for place, (name, values) in enumerate(series.items()):
        color, dash = SERIES[place % len(SERIES)], DASHES[place % len(DASHES)]
        shares = np.histogram(values.clip(edges[0], edges[-1]), edges)[0] / max(len(values), 1)
        median = f"median {rounded(np.median(values))}" if len(values) else "none"
        label = f"{name} · {median}" if name else median
        highest.append(float(shares.max()))
        axes.stairs(shares, edges, color=color, linestyle=dash, linewidth=1.3, label=label)
        if len(series) == 1:
            axes.stairs(shares, edges, fill=True, color=color, alpha=0.25)
        if len(values):
            axes.axvline(float(np.median(values)), color=color, linestyle=dash, linewidth=0.8)
    if spacing == "log":
        axes.set_xscale("log")
        axes.set_xticks(round_steps(edges[0], edges[-1]))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.4g}")
        axes.minorticks_off()
    if spacing == "whole":
        axes.locator_params(axis="x", integer=True)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1.05 * min(max(highest), CUT * min(highest)) or 1)
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g} %")
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        frameon=False,
        fontsize=8,
        handlelength=2.5,
        borderpad=0,
        borderaxespad=0.3,
        labelspacing=0.2,
    )


def rounded(value: float) -> str:
    """Whole numbers as they are, others to three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def bin_edges(
    values: Float64[np.ndarray, " _"], ends: tuple[float, float] | None, spacing: str
) -> Float64[np.ndarray, " _"]:
    """Where bins begin and end: evenly, evenly in the logarithm, or around whole numbers."""
    low, high = ends or ((values.min(), values.max()) if len(values) else (1.0, 1.0))
    if spacing == "whole":
        step = -(-(high - low + 1) // BINS)
        return np.arange(low - 0.5, high + step, step)
    if spacing == "log":
        steps = np.unique(np.geomspace(low, high + 1, BINS + 1).round())  # values are whole numbers
        return steps - 0.5
    return np.linspace(low, high, BINS + 1)
