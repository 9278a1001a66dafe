"""φ: token graphs → token graphs with vectors."""

from spitgraph.extractors.base import Extractor
from spitgraph.extractors.interpolation import InterpolationExtractor
from spitgraph.extractors.region_pool import RegionPool
from spitgraph.extractors.windows import WindowExtractor

__all__ = ["Extractor", "InterpolationExtractor", "RegionPool", "WindowExtractor"]
