"""The token graph, drawn over its image."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from spitgraph.data import TokenData
from spitgraph.extras import needs_extra
from spitgraph.inspection.canvas import add_panel, new_figure, panel_size, show_picture
from spitgraph.inspection.edges import EDGE_VALUES, edge_values, undirected
from spitgraph.inspection.overlay import mean_colors, seg_of, to_pil
from spitgraph.inspection.scale import as_values, color_scale, figure_with_bar
from spitgraph.pixel_map import stored

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.cm
    import matplotlib.figure

#: Inches of the picture's longer side.
LONG_SIDE = 6.0
#: Points: diameters of discs and widths of lines that can be seen, and that hide nothing.
LEAST_DISC, LARGEST_DISC, LEAST_LINE, LARGEST_LINE = 2.0, 36.0, 0.25, 3.0
#: From how many tokens on it gets crowded.
CROWDED = 400


def plot_graph(
    tokens: TokenData, *, weights: Any = None, label: str | None = None
) -> "matplotlib.figure.Figure":
    """The token graph over its image: a disc a token, a line where two regions touch.

    Discs lie at the centroids, have the tokens' mean colours and grow with their sizes; lines grow
    with the length of the border. With weights, the picture is grey and lines have colours, from
    faint yellow (least) to strong blue (greatest), and a colour bar. The figure belongs to no
    window; see `plot_hierarchy`.

    Args:
        tokens: One image.
        weights: What lines show: `"border"`, `"color"` or `"vectors"`, see `edge_values`; or [E]
            numbers, of which the two of a pair are averaged. What is not finite stays grey.
        label: What stands above the picture; by default, what the named weights are.

    Raises:
        ValueError: A batch, nodes that are no longer the image's tokens, or no such weights.
        TypeError: No token graph, or no numbers.
        ImportError: Matplotlib is missing.
    """
    shape = seg_of(tokens).shape
    wide, tall = panel_size(shape, LONG_SIDE)
    per_pixel = 72 * (wide * tall / (shape[0] * shape[1])) ** 0.5  # points
    picture = 1 - 0.45 * (1 - mean_colors(tokens))  # faded, so that the graph stands out
    if weights is None:
        figure = new_figure(wide, tall)
        axes = add_panel(figure, 0.0, 0.0, wide, tall)
        show_picture(axes, to_pil(picture))
        widths = border_widths(tokens, per_pixel)
        add_lines(axes, tokens, colors="black", alpha=0.7, linewidths=widths)
        add_discs(axes, tokens, per_pixel)
        return figure
    values, name = weights_of(tokens, weights)
    by_border = isinstance(weights, str) and weights == "border"
    scale = color_scale(values, log=by_border, sequential="viridis_r")
    figure, axes = figure_with_bar(wide, tall, name if label is None else label, scale)
    show_picture(axes, to_pil(picture.mean(dim=0, keepdim=True).expand_as(picture)))
    add_weighted_lines(axes, tokens, values, scale)
    add_discs(axes, tokens, 0.5 * per_pixel)
    return figure


def weights_of(tokens: TokenData, weights: Any) -> tuple[Float64[Tensor, " _"], str]:
    """A number for each pair of neighbours, NaN where it has none, and what it is."""
    named = isinstance(weights, str)
    values = edge_values(tokens, weights) if named else weights
    values = as_values(values, tokens.num_edges, "directed edges")
    return undirected(tokens, values), EDGE_VALUES[weights] if named else ""


def add_lines(
    axes: "matplotlib.axes.Axes", tokens: TokenData, order: Any = None, **look: Any
) -> None:
    """Lines between the centroids of regions that touch, in an order of their pairs."""
    with needs_extra("plot"):
        from matplotlib.collections import LineCollection
    pos, edge_index = stored(tokens, "pos").cpu(), stored(tokens, "edge_index").cpu()
    pairs = edge_index[:, edge_index[0] < edge_index[1]]
    ends = pos[pairs].transpose(0, 1)  # [pairs, 2 ends, 2]
    ends = ends if order is None else ends[order]
    axes.add_collection(LineCollection(ends.numpy(), **look), autolim=False)


def add_weighted_lines(
    axes: "matplotlib.axes.Axes",
    tokens: TokenData,
    values: Float64[Tensor, " _"],
    scale: "matplotlib.cm.ScalarMappable",
) -> None:
    """Lines whose colour and width say a value, the greatest above the others."""
    order = values.nan_to_num(nan=-torch.inf).argsort(stable=True)
    reach = torch.from_numpy(np.ma.filled(scale.norm(values.numpy()), 0.0)).nan_to_num().clamp(0, 1)
    widths = (0.6 + 2.2 * reach) * max(0.4, crowding(tokens))
    colors = scale.to_rgba(values.numpy())
    colors[values.isnan().numpy()] = (0.6, 0.6, 0.6, 1.0)
    add_lines(axes, tokens, order, colors=colors[order], linewidths=widths[order].numpy())


def border_widths(tokens: TokenData, per_pixel: float) -> Any:
    """Widths in points of the lines of pairs of neighbours, by the lengths of their borders."""
    source, target = stored(tokens, "edge_index").cpu()
    border = stored(tokens, "edge_attr").cpu()[source < target, 0]
    widths = LEAST_LINE + 0.12 * crowding(tokens) * (per_pixel * border).sqrt()
    return widths.clamp(max=LARGEST_LINE).numpy()


def add_discs(axes: "matplotlib.axes.Axes", tokens: TokenData, per_pixel: float) -> None:
    """A disc for each token, its area growing with the token's."""
    crowded = crowding(tokens)
    diameter = 0.45 * per_pixel * tokens.size.cpu().sqrt()
    x, y = stored(tokens, "pos").cpu().t().numpy()
    axes.scatter(
        x,
        y,
        s=diameter.clamp(LEAST_DISC * max(0.5, crowded), LARGEST_DISC).square().numpy(),
        c=tokens.color.cpu().numpy(),
        edgecolors="black",
        linewidths=0.5 * max(0.5, crowded),
        zorder=2,
    )


def crowding(tokens: TokenData) -> float:
    """What lines and discs shrink by, where there are many."""
    return min(1.0, (CROWDED / len(tokens.size)) ** 0.5)
