"""Pictures and tables of one image's tokens, and of tokenizers side by side."""

from spitgraph.inspection.colouring import random_colors
from spitgraph.inspection.comparison import comparison_table, plot_comparison
from spitgraph.inspection.edges import edge_values
from spitgraph.inspection.graph import plot_graph
from spitgraph.inspection.hierarchy import plot_hierarchy
from spitgraph.inspection.histograms import plot_statistics
from spitgraph.inspection.mask import highlight
from spitgraph.inspection.outlines import svg, topojson, write_svg, write_topojson
from spitgraph.inspection.overlay import mean_colors, overlay, to_pil
from spitgraph.inspection.page import write_page
from spitgraph.inspection.stability import stability
from spitgraph.inspection.stability_plot import plot_stability
from spitgraph.inspection.statistics import token_statistics
from spitgraph.inspection.table import count_parts, token_table
from spitgraph.inspection.tree import plot_tree
from spitgraph.inspection.values import plot_values
from spitgraph.inspection.vector import plot_token, unpack_vectors

__all__ = [
    "comparison_table",
    "count_parts",
    "edge_values",
    "highlight",
    "mean_colors",
    "overlay",
    "plot_comparison",
    "plot_graph",
    "plot_hierarchy",
    "plot_stability",
    "plot_statistics",
    "plot_token",
    "plot_tree",
    "plot_values",
    "random_colors",
    "stability",
    "svg",
    "to_pil",
    "token_statistics",
    "token_table",
    "topojson",
    "unpack_vectors",
    "write_page",
    "write_svg",
    "write_topojson",
]
