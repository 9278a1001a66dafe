"""The hierarchy of an image as a tree: which regions became which, and how large they are."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from spitgraph.data import TokenData
from spitgraph.inspection.canvas import DPI, add_panel, new_figure
from spitgraph.inspection.overlay import image_of

if TYPE_CHECKING:
    import matplotlib.figure

#: Inches: of the tree, a row of it, the names of levels, between bands, and the space around.
WIDE, ROW, NAMES, BETWEEN, MARGIN = 9.0, 0.36, 1.8, 0.12, 0.1
#: Tokens of a band, and how many bands there are at most.
IN_BAND, MOST_BANDS = 250, 8
#: Columns of a row, and how many a region needs for lines at its sides.
COLUMNS, LINED = int(WIDE * DPI), 5
#: From here on, lines are black.
BRIGHT = 0.6


def plot_tree(tokens: TokenData) -> "matplotlib.figure.Figure":
    """The hierarchy as an icicle: a row a level, the image above, its pixels below.

    Every region is a field below the one that it became part of, as wide as it has pixels, in its
    mean colour. From left to right, regions of one parent are in the order of their numbers, which
    is that of their first pixels. Where there are many tokens, the tree is cut into bands, one
    below the other; where regions are too narrow to see, a column is the mean of those in it. The
    figure belongs to no window; see `plot_hierarchy`.

    Args:
        tokens: One image, with its pixels.

    Raises:
        ValueError: A batch, dropped pixels, or nodes that are no longer the image's tokens.
        TypeError: No token graph.
        ImportError: Matplotlib is missing.

    Source: icicle plots of Kruskal & Landwehr (1983).
    """
    image, tree = image_of(tokens).cpu(), tokens.tree
    order = depth_first([parent.cpu() for parent in tree.parents], image[0].numel())
    pixels = image.flatten(1).double().index_select(1, order)  # [3, H·W]
    rows = [("image", torch.zeros_like(order))]
    for level in range(tree.depth, 0, -1):
        count = tree.num_regions(level)[0]
        name = (
            f"{count:,} token{'s' * (count > 1)}" if level == tree.depth else f"{count:,} regions"
        )
        rows.append((f"level {level} · {name}", tree.partition(level).cpu()[order]))
    rows.append((f"{len(order):,} pixel{'s' * (len(order) > 1)}", torch.arange(len(order))))

    bands = min(MOST_BANDS, -(-len(tokens.size) // IN_BAND))
    strips = [(name, painted(pixels, regions, bands * COLUMNS)) for name, regions in rows]
    band = (len(rows) - 1) * ROW + BETWEEN
    figure = new_figure(NAMES + WIDE + MARGIN, ROW + bands * band + MARGIN)
    top = figure.get_figheight() - MARGIN
    for place in range(bands):
        for row, (name, strip) in enumerate(strips):
            if row == 0 and place > 0:
                continue
            bottom = top - place * band - (row + 1) * ROW
            part = strip if row == 0 else strip[place * COLUMNS : (place + 1) * COLUMNS]
            add_row(figure, bottom, name, part)
    return figure


def add_row(
    figure: "matplotlib.figure.Figure", bottom: float, name: str, strip: Float64[Tensor, "_ 3"]
) -> None:
    """One level of the tree, or a part of it, and its name beside it."""
    axes = add_panel(figure, NAMES, bottom, WIDE, ROW)
    axes.imshow(strip.numpy()[None], aspect="auto", interpolation="nearest")
    axes.set_axis_off()
    wide, tall = figure.get_size_inches()
    place = ((NAMES - 0.08) / wide, (bottom + ROW / 2) / tall)
    figure.text(*place, name, ha="right", va="center", fontsize=8)


def depth_first(parents: list[Int64[Tensor, " _"]], count: int) -> Int64[Tensor, " HW"]:
    """The pixels in an order in which every region of every level is one run.

    Args:
        parents: Region of level t → region of level t + 1, for t = 0 … T − 1.
        count: Pixels.
    """
    rank = None  # of the regions of a level, from the last level down
    order = torch.arange(count, device="cpu")
    for parent in reversed(parents):
        order = (parent if rank is None else rank[parent]).argsort(stable=True)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order), device="cpu")
    return order


def painted(
    pixels: Float64[Tensor, "3 HW"], regions: Int64[Tensor, " HW"], columns: int
) -> Float64[Tensor, "_ 3"]:
    """A row of the tree: columns in the mean colours of their regions, lines between wide ones.

    Args:
        pixels: In the order of the tree.
        regions: Of each, the region, each one run of pixels.
        columns: How many.
    """
    _, run, lengths = regions.unique_consecutive(return_inverse=True, return_counts=True)
    means = torch.zeros(3, len(lengths), dtype=torch.float64, device="cpu")
    means = means.index_add_(1, run, pixels) / lengths
    ends = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]).double()
    edges = torch.linspace(0, float(ends[-1]), columns + 1, dtype=torch.float64, device="cpu")
    # the integral of the colour up to each edge of a column, linear within a run
    until = torch.cat([means.new_zeros(3, 1), (means * lengths).cumsum(1)], dim=1)
    inside = (torch.searchsorted(ends, edges, right=True) - 1).clamp(0, len(lengths) - 1)
    integral = until[:, inside] + means[:, inside] * (edges - ends[inside])
    strip = (integral.diff(dim=1) / edges.diff()).clamp(0, 1).t().contiguous()
    width = lengths * columns / ends[-1]
    lined = (width[1:] >= LINED) & (width[:-1] >= LINED)
    between = (ends[1:-1][lined] * columns / ends[-1]).round().long()
    strip[between] = (strip[between].mean(dim=1, keepdim=True) < BRIGHT).double().expand(-1, 3)
    return strip
