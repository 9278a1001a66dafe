"""What regions look like, and who touches whom."""

from spitgraph.regions.describe import Regions, describe_regions, shared_borders

__all__ = ["Regions", "describe_regions", "shared_borders"]
