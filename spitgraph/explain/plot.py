"""An attribution as heat over its photograph."""

from typing import TYPE_CHECKING

import torch

from spitgraph.checks import boolean
from spitgraph.extras import needs_extra
from spitgraph.inspection.overlay import border_sides, image_of, seg_of

if TYPE_CHECKING:
    import matplotlib.figure

    from spitgraph.explain.attribution import Attribution

#: Inches of the longer side, of the title, of the colour bar and the space for its numbers.
LONG_SIDE, LEAST_SIDE, TITLE, BAR, NUMBERS = 5.0, 1.5, 0.35, 0.14, 0.75
#: Opacity of the heat where there is least of it and where most, and of region borders.
FAINT, STRONG, BORDER = 0.4, 0.8, 0.3
#: Colour maps that the colour-blind can read.
ONE_SIGN, BOTH_SIGNS = "inferno", "RdBu_r"
#: Share of pixels beyond which single ones would take all of the scale.
OUTLIERS = 0.002


def plot_attribution(
    attribution: "Attribution", *, borders: bool = True
) -> "matplotlib.figure.Figure":
    """The photograph in grey, the scores over it as heat, with a colour bar.

    Scores of one sign go from dark to bright, from the least to the greatest; where both signs
    occur, from blue (against the class) over white to red (for it), 0 in the middle. The more heat,
    the less shows through. The scale leaves the outermost 0.2 % of pixels aside. The figure belongs
    to no window: show it by ending a notebook cell with it, keep it by `savefig`.

    Args:
        attribution: Of an image whose pixels are held.
        borders: Whether to draw the borders of the tokens.

    Raises:
        ImportError: Matplotlib is missing.
        ValueError: The pixels were dropped, or the nodes are no longer the image's tokens.
    """
    with needs_extra("plot"):
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize
        from matplotlib.figure import Figure
    tokens = attribution.token_data
    image, seg = image_of(tokens).cpu(), seg_of(tokens).cpu()
    heat = attribution.map.cpu().float()
    low, high = limits(heat)
    scale = ScalarMappable(Normalize(low, high), BOTH_SIGNS if low < 0 else ONE_SIGN)

    grey = image.mean(dim=0)
    colours = torch.from_numpy(scale.to_rgba(heat.numpy())[..., :3]).float()
    reach = ((heat - low) / (high - low)).clamp(0, 1)
    strength = (2 * reach - 1).abs() if low < 0 else reach
    opacity = (FAINT + (STRONG - FAINT) * strength)[..., None]
    picture = torch.lerp(grey[..., None].expand(-1, -1, 3), colours, opacity)
    if boolean(borders, "borders"):
        line, _ = border_sides(seg)
        picture[line] = torch.lerp(picture[line], torch.ones(3), BORDER)

    height, width = seg.shape
    inches = LONG_SIDE / max(height, width)
    tall, wide = max(height * inches, LEAST_SIDE), max(width * inches, LEAST_SIDE)
    total = (wide + 2 * BAR + NUMBERS, tall + TITLE)
    figure = Figure(figsize=total, dpi=160)
    axes = figure.add_axes((0, 0, wide / total[0], tall / total[1]))
    axes.imshow(picture.numpy().clip(0, 1), interpolation="nearest")
    axes.set_axis_off()
    name = attribution.method.replace("_", " ")
    axes.set_title(f"{name} · class {attribution.target}", fontsize=10)
    place = (
        (wide + BAR) / total[0],
        0.04 * tall / total[1],
        BAR / total[0],
        0.92 * tall / total[1],
    )
    bar = figure.colorbar(scale, cax=figure.add_axes(place))
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return figure


def limits(heat: torch.Tensor) -> tuple[float, float]:
    """Ends of the colour scale: as far below as above 0 where there are scores below."""
    low, high = (
        float(torch.quantile(heat.flatten()[:: max(1, heat.numel() // 2**20)], share))
        for share in (OUTLIERS, 1 - OUTLIERS)
    )
    if low == high:  # all alike, or next to all
        low, high = float(heat.min()), float(heat.max())
    if low < 0:
        reach = max(-low, high)
        return -reach, reach
    return (low, high) if low < high else (0.0, max(high, 1.0))
