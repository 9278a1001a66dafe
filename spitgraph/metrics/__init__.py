"""How good partitions and masks are, against people's, each other and the image."""

from spitgraph.metrics.agreement import segmentation_covering, variation_of_information
from spitgraph.metrics.partition import (
    achievable_segmentation_accuracy,
    boundary_recall,
    compactness,
    explained_variation,
    undersegmentation_error,
)
from spitgraph.metrics.saliency import (
    f_beta_curve,
    f_beta_max,
    iou,
    mean_absolute_error,
    pixel_accuracy,
    s_measure,
)

__all__ = [
    "achievable_segmentation_accuracy",
    "boundary_recall",
    "compactness",
    "explained_variation",
    "f_beta_curve",
    "f_beta_max",
    "iou",
    "mean_absolute_error",
    "pixel_accuracy",
    "s_measure",
    "segmentation_covering",
    "undersegmentation_error",
    "variation_of_information",
]
