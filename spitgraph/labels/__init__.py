"""Labels on token graphs: of pixels, instances, boxes and images; and how far tokens can go."""

from spitgraph.labels.boxes import with_boxes
from spitgraph.labels.images import with_image_labels
from spitgraph.labels.instances import with_instances
from spitgraph.labels.oracle import OracleBound, oracle_bound
from spitgraph.labels.pixels import with_pixel_labels

__all__ = [
    "OracleBound",
    "oracle_bound",
    "with_boxes",
    "with_image_labels",
    "with_instances",
    "with_pixel_labels",
]
