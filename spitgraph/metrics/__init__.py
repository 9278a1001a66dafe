"""How good a partition is, measured against human segmentations and against the image."""

from spitgraph.metrics.partition import (
    achievable_segmentation_accuracy,
    boundary_recall,
    compactness,
    explained_variation,
    undersegmentation_error,
)

__all__ = [
    "achievable_segmentation_accuracy",
    "boundary_recall",
    "compactness",
    "explained_variation",
    "undersegmentation_error",
]
