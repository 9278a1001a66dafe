"""φ: token graphs → token graphs with vectors."""

from spitgraph.extractors.base import Extractor
from spitgraph.extractors.interpolation import InterpolationExtractor

__all__ = ["Extractor", "InterpolationExtractor"]
