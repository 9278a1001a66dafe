"""The stability card, drawn: a panel a measure, a line a change."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spitgraph.extras import needs_extra
from spitgraph.inspection.canvas import MARKERS, SERIES, add_panel, new_figure
from spitgraph.inspection.stability import CHANCE, MEASURES

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure
    import pandas

#: Inches: of a panel, a line of it, the names of changes, above and below panels, and between.
WIDE, LINE, NAMES, HEAD, FOOT, GAP, LEGEND = 1.75, 0.24, 1.35, 0.5, 0.35, 0.18, 0.22
#: What stands above a panel.
TITLES = {
    "covering": "covering\n(best overlap)",
    "accuracy": "achievable\naccuracy",
    "boundary_recall": "borders found\nwithin 2 px",
    "information": "variation of informa-\ntion, bits (0 is best)",
    "explained_variation": "explained variation\nof the image",
}


def plot_stability(
    tables: "pandas.DataFrame | Mapping[str, pandas.DataFrame]",
) -> "matplotlib.figure.Figure":
    """What `stability` found, of one tokenizer or of several beside each other.

    A line is a change, a panel a measure; the lowest line is what chance gives. Further right is
    better, but for the variation of information. The last panel says how much of the image's
    colour the tokens explain: a partition that never moves may explain little. The figure belongs
    to no window; see `plot_hierarchy`.

    Args:
        tables: As `stability` gives them, or means over images of such, by the names to show.

    Raises:
        ValueError: Nothing to show, or tables of other columns or rows.
        TypeError: No tables.
        ImportError: Matplotlib or pandas is missing.
    """
    named = checked_tables(tables)
    changes = list(next(iter(named.values())).index)
    tall = LINE * (len(changes) + 0.5)
    columns = min(4, len(named))
    legend = LEGEND * -(-len(named) // columns) if len(named) > 1 else 0.0
    figure = new_figure(NAMES + len(MEASURES) * (WIDE + GAP), FOOT + tall + HEAD + legend)
    for place, measure in enumerate(MEASURES):
        axes = add_panel(figure, NAMES + place * (WIDE + GAP), FOOT, WIDE, tall)
        axes.set_title(TITLES[measure], fontsize=9)
        draw_measure(axes, {name: table[measure] for name, table in named.items()})
        axes.set_yticks(range(len(changes)), changes if place == 0 else [])
        axes.set_ylim(len(changes) - 0.5, -0.5)
        if CHANCE in changes:
            axes.axhline(changes.index(CHANCE) - 0.5, color="grey", linewidth=0.8)
        if measure == "information":
            axes.set_xlim(left=-0.03 * max(axes.get_xlim()[1], 0.1))
        else:
            axes.set_xlim(-0.03, 1.03)
            axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "½", "", "1"])
    if legend:
        handles, names = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="upper center", ncols=columns, frameon=False, fontsize=9)
    return figure


def draw_measure(axes: "matplotlib.axes.Axes", series: Mapping[str, Any]) -> None:
    """One measure: a marker a tokenizer on the line of each change."""
    spread = 0.5 / max(len(series), 1)
    for place, (name, values) in enumerate(series.items()):
        lines = [line + (place - (len(series) - 1) / 2) * spread for line in range(len(values))]
        axes.plot(
            values.to_numpy(float),
            lines,
            MARKERS[place % len(MARKERS)],
            color=SERIES[place % len(SERIES)],
            markersize=5,
            markeredgewidth=0,
            label=str(name),
        )
    axes.hlines(
        range(len(next(iter(series.values())))),
        0,
        1,
        color="grey",
        alpha=0.3,
        linewidth=0.6,
        zorder=0,
        transform=axes.get_yaxis_transform(),
    )
    axes.tick_params(labelsize=8, left=False)
    axes.spines[["top", "right", "left"]].set_visible(False)


def checked_tables(tables: Any) -> "dict[str, pandas.DataFrame]":
    """Tables by name, once they are known to be of the same changes."""
    with needs_extra("plot"):
        import pandas
    named = {"": tables} if isinstance(tables, pandas.DataFrame) else tables
    if not isinstance(named, Mapping):
        raise TypeError(f"expected tables by name, {{name: table}}, got {type(tables).__name__}")
    if not named:
        raise ValueError("expected at least one table, got none")
    changes = None
    for name, table in named.items():
        if not isinstance(table, pandas.DataFrame):
            raise TypeError(
                f"expected tables of stability(), got {type(table).__name__} as {name!r}"
            )
        missing = [measure for measure in MEASURES if measure not in table]
        if missing:
            raise ValueError(f"expected tables of stability(), got {name!r} without {missing}")
        changes = list(table.index) if changes is None else changes
        if list(table.index) != changes or not changes:
            raise ValueError(f"expected the same changes in all tables, got others in {name!r}")
    return dict(named)
