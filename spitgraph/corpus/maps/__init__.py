"""Nested partitions of an image as bytes: what a row keeps of a `Hierarchy`."""

from spitgraph.corpus.maps.code import levels_of_bytes, levels_to_bytes

__all__ = ["levels_of_bytes", "levels_to_bytes"]
