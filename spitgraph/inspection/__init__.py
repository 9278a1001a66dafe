"""Pictures and tables of one image's tokens."""

from spitgraph.inspection.graph import plot_graph
from spitgraph.inspection.hierarchy import plot_hierarchy
from spitgraph.inspection.mask import highlight
from spitgraph.inspection.outlines import svg, topojson, write_svg, write_topojson
from spitgraph.inspection.overlay import mean_colors, overlay, to_pil
from spitgraph.inspection.page import write_page
from spitgraph.inspection.table import count_parts, token_table
from spitgraph.inspection.vector import plot_token, unpack_vectors

__all__ = [
    "count_parts",
    "highlight",
    "mean_colors",
    "overlay",
    "plot_graph",
    "plot_hierarchy",
    "plot_token",
    "svg",
    "to_pil",
    "token_table",
    "topojson",
    "unpack_vectors",
    "write_page",
    "write_svg",
    "write_topojson",
]
