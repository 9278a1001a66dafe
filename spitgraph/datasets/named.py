"""Superpixel graphs in the style of the published data sets, of pictures that the user has."""

import os
from pathlib import Path
from typing import Any

from spitgraph.checks import file_path, one_of
from spitgraph.datasets.arrays import cifar10_pictures, mnist_pictures
from spitgraph.datasets.coco import CocoSamples
from spitgraph.datasets.graphs import SuperpixelGraphs
from spitgraph.datasets.samples import MaskSamples

SPLITS = {"train": "", "val": ""}
VOC_CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat"),
    *("chair", "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant"),
    *("sheep", "sofa", "train", "tvmonitor"),
)


def mnist_sp(
    images: Any, root: Any = None, *, split: str = "train", **options: Any
) -> SuperpixelGraphs:
    """MNIST's superpixel graphs: 71 tokens a picture, mean grey (as RGB) and centroid.

    Args:
        images: Folder of `train-images-idx3-ubyte` and so on (also in `raw/` or `MNIST/raw/`, also
            `.gz`), or what `spitgraph.train.open_pictures` takes.
        root: Where graphs are kept; by default, `.spitgraph` in that folder.
        split: `"train"`, or `"val"` for the test pictures.
        options: Others of `SuperpixelGraphs`, `num_tokens` among them.
    """
    place = file_path(images, "images")
    pictures = mnist_pictures(place, one_of(split, SPLITS, "split"))
    return _of(pictures, place, root, {"num_tokens": 71}, options)


def cifar10_sp(
    images: Any, root: Any = None, *, split: str = "train", **options: Any
) -> SuperpixelGraphs:
    """CIFAR-10's superpixel graphs: 117 tokens a picture, mean colour and centroid.

    Args:
        images: Folder that holds `cifar-10-batches-py/` or `cifar-10-batches-bin/` (or is one), or
            what `spitgraph.train.open_pictures` takes. Of a pickle, arrays alone are read.
        root: Where graphs are kept; by default, `.spitgraph` in that folder.
        split: `"train"`, or `"val"` for the test pictures.
        options: Others of `SuperpixelGraphs`, `num_tokens` among them.
    """
    place = file_path(images, "images")
    pictures = cifar10_pictures(place, one_of(split, SPLITS, "split"))
    return _of(pictures, place, root, {"num_tokens": 117}, options)


def pascal_voc_sp(
    images: Any, root: Any = None, *, split: str = "train", **options: Any
) -> SuperpixelGraphs:
    """PASCAL VOC's superpixel graphs: 479 tokens a picture, colour statistics, a class a token.

    Args:
        images: Folder of `VOCdevkit/VOC2012/` (or another year's), or one that holds
            `JPEGImages/`, `SegmentationClass/` and `ImageSets/Segmentation/SPLIT.txt`.
        root: Where graphs are kept; by default, `.spitgraph` in that folder.
        split: `"train"` or `"val"`.
        options: Others of `SuperpixelGraphs`, `num_tokens` among them.

    Raises:
        FileNotFoundError: The files are not there.
    """
    place = file_path(images, "images")
    samples = voc_samples(place, one_of(split, SPLITS, "split"))
    return _of(samples, place, root, {"num_tokens": 479, "features": "statistics"}, options)


def coco_sp(
    images: Any, root: Any = None, *, split: str = "train", **options: Any
) -> SuperpixelGraphs:
    """COCO's superpixel graphs: 477 tokens a picture, colour statistics, a class a token.

    Args:
        images: Folder of `annotations/instances_SPLIT2017.json` and `SPLIT2017/`, which may lie in
            `images/`.
        root: Where graphs are kept; by default, `.spitgraph` in that folder.
        split: `"train"` or `"val"`.
        options: Others of `SuperpixelGraphs`, `num_tokens` among them.

    Raises:
        FileNotFoundError: The files are not there.
    """
    place = file_path(images, "images")
    samples = CocoSamples(place, one_of(split, SPLITS, "split"))
    usual = {"num_tokens": 477, "features": "statistics", "ignore_index": None}
    return _of(samples, place, root, usual, options)


def _of(
    source: Any, place: str, root: Any, usual: dict[str, Any], options: dict[str, Any]
) -> SuperpixelGraphs:
    """The graphs, by the usual settings where the caller gives no others."""
    if "partition" in options and not isinstance(options["partition"], str):
        usual = {name: value for name, value in usual.items() if name != "num_tokens"}
    kept = Path(place if os.path.isdir(place) else os.path.dirname(place), ".spitgraph")
    return SuperpixelGraphs(source, kept if root is None else root, **{**usual, **options})


def voc_samples(root: str, split: str) -> MaskSamples:
    """PASCAL's segmented pictures of a split."""
    years = sorted(Path(root, "VOCdevkit").glob("VOC*"), reverse=True)
    for place in (Path(root), *years):
        listed = place / "ImageSets" / "Segmentation" / f"{split}.txt"
        if listed.is_file():
            names = listed.read_text(encoding="utf-8").split()
            paths = [str(place / "JPEGImages" / f"{name}.jpg") for name in names]
            masks = [str(place / "SegmentationClass" / f"{name}.png") for name in names]
            return MaskSamples(paths, masks, 255, VOC_CLASSES)
    raise FileNotFoundError(
        f"expected ImageSets/Segmentation/{split}.txt in {root}, or in VOCdevkit/VOC2012 there"
    )
