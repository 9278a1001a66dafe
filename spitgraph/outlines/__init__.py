"""Partitions as vectors: each border traced once, shared by both its regions, and written once."""

from spitgraph.outlines.arcs import OUTSIDE, Arcs, trace
from spitgraph.outlines.paths import path_data
from spitgraph.outlines.pieces import outer_rings
from spitgraph.outlines.raster import region_map
from spitgraph.outlines.rings import Rings, rings_of
from spitgraph.outlines.simplify import simplify
from spitgraph.outlines.smooth import smooth
from spitgraph.outlines.svg import svg_text
from spitgraph.outlines.topojson import topojson_text, topology

__all__ = [
    "OUTSIDE",
    "Arcs",
    "Rings",
    "outer_rings",
    "path_data",
    "region_map",
    "rings_of",
    "simplify",
    "smooth",
    "svg_text",
    "topojson_text",
    "topology",
    "trace",
]
