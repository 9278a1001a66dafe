"""τ: images → token graphs."""

from spitgraph.tokenizers.base import Tokenizer
from spitgraph.tokenizers.masks import from_masks
from spitgraph.tokenizers.partition import from_partition
from spitgraph.tokenizers.patch import PatchTokenizer
from spitgraph.tokenizers.refinement import refine
from spitgraph.tokenizers.superpixel import SuperpixelTokenizer
from spitgraph.tokenizers.voronoi import VoronoiTokenizer

__all__ = [
    "PatchTokenizer",
    "SuperpixelTokenizer",
    "Tokenizer",
    "VoronoiTokenizer",
    "from_masks",
    "from_partition",
    "refine",
]
