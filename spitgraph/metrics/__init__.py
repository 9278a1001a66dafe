"""How good partitions and masks are, against people's, and partitions against the image."""

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
    "undersegmentation_error",
]
