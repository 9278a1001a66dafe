"""Superpixel graphs of labelled pictures as PyG data sets."""

from spitgraph.datasets.graphs import SuperpixelGraphs
from spitgraph.datasets.named import cifar10_sp, coco_sp, mnist_sp, pascal_voc_sp
from spitgraph.datasets.nearest import NearestCentroids
from spitgraph.datasets.node_features import ColourAndPlace, ColourStatistics
from spitgraph.datasets.samples import ClassSamples, FileSamples, MaskSamples, Samples
from spitgraph.datasets.slic import SLICTokenizer

__all__ = [
    "ClassSamples",
    "ColourAndPlace",
    "ColourStatistics",
    "FileSamples",
    "MaskSamples",
    "NearestCentroids",
    "SLICTokenizer",
    "Samples",
    "SuperpixelGraphs",
    "cifar10_sp",
    "coco_sp",
    "mnist_sp",
    "pascal_voc_sp",
]
