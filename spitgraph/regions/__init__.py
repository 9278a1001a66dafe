"""What regions look like, and who touches whom."""

from spitgraph.regions.describe import Regions, describe_image, shared_borders
from spitgraph.regions.operator import describe_regions

__all__ = ["Regions", "describe_image", "describe_regions", "shared_borders"]
