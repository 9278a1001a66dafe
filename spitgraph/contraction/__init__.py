"""G(t) → G(t+1): weigh the edges, select the strongest, reduce the regions, connect the rest."""

from spitgraph.contraction.connect import MergeEdges
from spitgraph.contraction.graph import RegionGraph, level_zero
from spitgraph.contraction.hierarchy import contract_graph, contract_once
from spitgraph.contraction.operator import contract
from spitgraph.contraction.reduce import BoxReduce, SumReduce
from spitgraph.contraction.select import StrongestEdgeSelect
from spitgraph.contraction.weights import SIMILARITIES
from spitgraph.settings import Settings

__all__ = [
    "SIMILARITIES",
    "BoxReduce",
    "MergeEdges",
    "RegionGraph",
    "Settings",
    "StrongestEdgeSelect",
    "SumReduce",
    "contract",
    "contract_graph",
    "contract_once",
    "level_zero",
]
