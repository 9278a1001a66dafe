"""Masks and parts out of token features, without a decoder and without labels (METHOD 8)."""

from spitgraph.segment.cut import Cut, normalized_cut, token_cut
from spitgraph.segment.features import colour_features, token_features
from spitgraph.segment.filters import bilateral, guided
from spitgraph.segment.grouping import group
from spitgraph.segment.levels import refine_at_level
from spitgraph.segment.maps import to_map
from spitgraph.segment.pooling import grid_features, grid_tokens, pool_grid

__all__ = [
    "Cut",
    "bilateral",
    "colour_features",
    "grid_features",
    "grid_tokens",
    "group",
    "guided",
    "normalized_cut",
    "pool_grid",
    "refine_at_level",
    "to_map",
    "token_cut",
    "token_features",
]
