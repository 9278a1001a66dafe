"""Interpolated colours and joint histograms: what tokens look like, where they are (METHOD 4)."""

from spitgraph.extractors.interpolation.extractor import InterpolationExtractor

__all__ = ["InterpolationExtractor"]
