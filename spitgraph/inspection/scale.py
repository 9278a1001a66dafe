"""Values as colours: scales that are even to the eye, for the colour-blind too, and their bars."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from spitgraph.checks import boolean, finite
from spitgraph.extras import needs_extra
from spitgraph.inspection.canvas import add_panel, new_figure

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.cm
    import matplotlib.figure

#: Colour maps: of values in order, and of values on two sides of a centre.
SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"
#: Inches: of a bar, the space beside it, the numbers, what is above, and around.
BAR, GAP, NUMBERS, HEAD, MARGIN = 0.14, 0.14, 0.55, 0.28, 0.1
#: Inches: of a bar that can be read, and of the field that says what is missing.
LEAST_BAR, FIELD = 1.3, 0.18
#: More numbers than these crowd a bar.
MOST_STEPS = 9
#: How what has no value is drawn.
MISSING = {"facecolor": "#d9d9d9", "edgecolor": "#8c8c8c", "hatch": "////", "linewidth": 0.0}


def as_values(values: Any, count: int, what: str) -> Float64[Tensor, " N"]:
    """One number for each of so many things; what is not finite becomes NaN.

    Raises:
        ValueError: There are not so many.
        TypeError: They are no numbers.
    """
    try:
        held = values if isinstance(values, Tensor) else np.array(values, dtype=np.float64)
        numbers = torch.as_tensor(held).detach().double().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"expected {count} numbers, one for each of the {what}: {error}") from None
    if numbers.shape not in ((count,), (count, 1)):
        raise ValueError(
            f"expected [{count}] values, one for each of the {what}, got {list(numbers.shape)}"
        )
    numbers = numbers.reshape(count)
    return torch.where(numbers.isfinite(), numbers, torch.nan)


def color_scale(
    values: Float64[Tensor, " N"],
    center: float | None = None,
    log: bool = False,
    sequential: str = SEQUENTIAL,
) -> "matplotlib.cm.ScalarMappable":
    """Colours from the least to the greatest value.

    Args:
        values: Of which NaN is left aside.
        center: The value in the middle of a diverging map, as far from both ends.
        log: Whether equal ratios are equal steps; values must be above 0.
        sequential: Name of the colour map without a centre.

    Raises:
        ValueError: A logarithm and a centre, or a logarithm of what is not above 0.
    """
    with needs_extra("plot"):
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import LogNorm, Normalize
    known = values[~values.isnan()]
    low, high = (float(known.min()), float(known.max())) if len(known) else (1.0, 2.0)
    if boolean(log, "log"):
        if center is not None:
            raise ValueError("log and center exclude each other")
        if len(known) and low <= 0:
            raise ValueError(f"log needs values above 0, got {low:g}")
        low, high = (low, high) if low < high else (low / 2, 2 * high)
        return ScalarMappable(LogNorm(low, high), sequential)
    if center is not None:
        center = finite(center, "center")
        reach = max(abs(low - center), abs(high - center)) or 1.0
        return ScalarMappable(Normalize(center - reach, center + reach), DIVERGING)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return ScalarMappable(Normalize(low, high), sequential)


def figure_with_bar(
    wide: float,
    tall: float,
    label: str,
    scale: "matplotlib.cm.ScalarMappable | None",
    missing: bool = False,
) -> tuple["matplotlib.figure.Figure", "matplotlib.axes.Axes"]:
    """A figure with room for a picture, a colour bar beside it, and what it says above it.

    Args:
        wide: Inches of the picture.
        tall: The same; the bar is as high, but not too low to be read.
        label: What colours show.
        scale: Of the bar, if there is to be one.
        missing: Whether to say how what has no value is drawn.

    Returns:
        The figure, and the axes of the picture.
    """
    head = HEAD if label else 0.0
    field = FIELD + GAP if missing else 0.0
    height = max(tall, LEAST_BAR + field)
    figure = new_figure(2 * MARGIN + wide + GAP + BAR + NUMBERS, height + head + 2 * MARGIN)
    top = (height + head + MARGIN) / (height + head + 2 * MARGIN)
    figure.text(MARGIN / figure.get_figwidth(), top, label, va="top", fontsize=10)
    axes = add_panel(figure, MARGIN, MARGIN + (height - tall) / 2, wide, tall)
    left = MARGIN + wide + GAP
    if scale is not None:
        add_bar(add_panel(figure, left, MARGIN + field, BAR, height - field), scale)
    if missing:
        swatch = add_panel(figure, left, MARGIN, BAR, FIELD)
        show_missing(swatch)
        swatch.text(1.35, 0.5, "no value", transform=swatch.transAxes, va="center", fontsize=8)
    return figure, axes


def add_bar(axes: "matplotlib.axes.Axes", scale: "matplotlib.cm.ScalarMappable") -> None:
    """A colour bar that fills axes."""
    from matplotlib.colors import LogNorm

    bar = axes.figure.colorbar(scale, cax=axes)
    if isinstance(scale.norm, LogNorm):
        bar.set_ticks(round_steps(*scale.get_clim()), minor=False)
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.4g}")
        bar.ax.minorticks_off()
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)


def round_steps(low: Any, high: Any) -> list[float]:
    """1, 2 and 5 times powers of ten between two values; these, where there are next to none."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = [first * 10.0**power for power in powers for first in (1, 2, 5)]
    within = [step for step in steps if low <= step <= high]
    if len(within) > MOST_STEPS:
        within = [step for step in within if math.log10(step).is_integer()]
    return within if len(within) > 1 else [low, high]


def show_missing(axes: "matplotlib.axes.Axes") -> None:
    """Hatch the ground of axes, and leave nothing else of them."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.patch.set(**MISSING)
