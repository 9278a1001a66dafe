"""What regions look like, measured on the CPU by Numba."""

from spitgraph.regions.cpu.batch import describe_regions

__all__ = ["describe_regions"]
