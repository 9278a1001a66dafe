"""Image tokens that follow the image: superpixel token graphs for vision transformers."""

import warnings

with warnings.catch_warnings():
    # PyG 2.8 deprecates torch-cluster and torch-scatter in favour of pyg-lib, and says so whenever
    # they are installed
    warnings.filterwarnings("ignore", message=".*torch-(cluster|scatter).*")
    import torch_geometric as _torch_geometric  # noqa: F401

from spitgraph.data import TokenData
from spitgraph.images import UnreadableImageError
from spitgraph.tokenizers import (
    PatchTokenizer,
    SuperpixelTokenizer,
    VoronoiTokenizer,
    from_partition,
)

__version__ = "0.1.0"

__all__ = [
    "PatchTokenizer",
    "SuperpixelTokenizer",
    "TokenData",
    "UnreadableImageError",
    "VoronoiTokenizer",
    "from_partition",
]
