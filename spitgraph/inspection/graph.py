"""The token graph, drawn over its image."""

from typing import TYPE_CHECKING

from spitgraph.data import TokenData
from spitgraph.extras import needs_extra
from spitgraph.inspection.overlay import mean_colors, seg_of, to_pil
from spitgraph.pixel_map import stored

if TYPE_CHECKING:
    import matplotlib.figure

#: Inches of the figure's longer side, and the least of the other.
LONG_SIDE, LEAST_SIDE = 6.0, 0.5


def plot_graph(tokens: TokenData) -> "matplotlib.figure.Figure":
    """The token graph over its image: a disc a token, a line where two regions touch.

    Discs lie at the centroids, have the tokens' mean colours and grow with their sizes; lines grow
    with the length of the border. The figure belongs to no window; see `plot_hierarchy`.

    Args:
        tokens: One image.

    Raises:
        ValueError: A batch, or nodes that are no longer the image's tokens.
        TypeError: No token graph.
        ImportError: Matplotlib is missing.
    """
    with needs_extra("plot"):
        from matplotlib.collections import LineCollection
        from matplotlib.figure import Figure
    height, width = seg_of(tokens).shape
    inches = LONG_SIDE / max(height, width)
    size = (max(width * inches, LEAST_SIDE), max(height * inches, LEAST_SIDE))
    figure = Figure(figsize=size, dpi=160)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(to_pil(1 - 0.45 * (1 - mean_colors(tokens))))  # faded, so that the graph stands out
    axes.set_axis_off()
    pos, edge_index = stored(tokens, "pos").cpu(), stored(tokens, "edge_index").cpu()
    once = edge_index[0] < edge_index[1]
    ends = pos[edge_index[:, once]].transpose(0, 1)  # [edges, 2 ends, 2]
    border = stored(tokens, "edge_attr").cpu()[once, 0]
    thickness = 0.1 * min(1.0, (400 / len(pos)) ** 0.5)  # thinner where it gets crowded
    lines = LineCollection(
        ends.numpy(), colors="black", alpha=0.7, linewidths=0.25 + thickness * border.sqrt().numpy()
    )
    axes.add_collection(lines)
    points = 72 * inches  # a pixel in points
    diameter = (0.45 * points * tokens.size.cpu().sqrt()).clamp(min=2)
    x, y = pos.t().numpy()
    axes.scatter(
        x,
        y,
        s=diameter.square().numpy(),
        c=tokens.color.cpu().numpy(),
        edgecolors="black",
        linewidths=0.5,
        zorder=2,
    )
    return figure
