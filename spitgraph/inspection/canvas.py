"""Where things stand in a figure: panels placed in inches, whatever the image's shape.

Colours of text and background are Matplotlib's own, so that figures are dark on white cards unless
the user's style says otherwise.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spitgraph.extras import needs_extra

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

DPI = 160
#: A picture's longer side is drawn at most this many times the shorter one: lines stay visible.
SLENDEREST = 8
#: Colours that the colour-blind tell apart (Okabe & Ito 2008), grey in the place of black; and
#: what else tells series apart.
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
MARKERS = "osD^vPX"
DASHES = ("-", "--", "-.", ":")


def panel_size(shape: Sequence[int], longest: float) -> tuple[float, float]:
    """Width and height in inches at which a picture of H × W pixels is drawn.

    Pictures are drawn true to shape, but for those more than `SLENDEREST` times as long as wide.
    """
    height, width = shape
    inches = longest / max(height, width)
    least = longest / SLENDEREST
    return max(width * inches, least), max(height * inches, least)


def new_figure(wide: float, tall: float) -> "matplotlib.figure.Figure":
    """A figure of so many inches, which belongs to no window."""
    with needs_extra("plot"):
        from matplotlib.figure import Figure
    return Figure(figsize=(wide, tall), dpi=DPI)


def add_panel(
    figure: "matplotlib.figure.Figure",
    left: float,
    bottom: float,
    wide: float,
    tall: float,
    **properties: Any,
) -> "matplotlib.axes.Axes":
    """Axes at a place of the figure that is given in inches."""
    width, height = figure.get_size_inches()
    place = (left / width, bottom / height, wide / width, tall / height)
    return figure.add_axes(place, **properties)


def show_picture(axes: "matplotlib.axes.Axes", picture: Any) -> None:
    """Fill axes with a picture, as an image of PIL or an array, and nothing else."""
    axes.imshow(picture, aspect="auto")
    axes.set_axis_off()
