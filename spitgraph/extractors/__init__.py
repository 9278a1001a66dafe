"""φ: token graphs → token graphs with vectors."""

from spitgraph.extractors.interpolation import InterpolationExtractor

__all__ = ["InterpolationExtractor"]
