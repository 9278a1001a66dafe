"""Pictures → pixel graphs → token graphs, as PyG transforms."""

from spitgraph.transforms.contract_superpixels import ContractSuperpixels
from spitgraph.transforms.extract_features import ExtractFeatures
from spitgraph.transforms.to_grid_graph import ToGridGraph
from spitgraph.transforms.to_patches import ToPatches
from spitgraph.transforms.to_superpixels import ToSuperpixels
from spitgraph.transforms.to_voronoi import ToVoronoi

__all__ = [
    "ContractSuperpixels",
    "ExtractFeatures",
    "ToGridGraph",
    "ToPatches",
    "ToSuperpixels",
    "ToVoronoi",
]
