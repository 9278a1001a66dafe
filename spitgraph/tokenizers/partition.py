"""Tokens from label maps made elsewhere: SLIC, SAM, annotations."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from spitgraph.data import TokenData, tokens_from_hierarchy
from spitgraph.hierarchy import Hierarchy
from spitgraph.images import ImagesLike, checked_images
from spitgraph.tensors import ordered_labels


def from_partition(images: ImagesLike, partition: Any) -> TokenData:
    """Token graphs of images whose pixels the caller has labelled.

    Args:
        images: Anything `spitgraph.images.load_images` takes.
        partition: Labels of one image [H, W], of a batch [B, H, W], or a list of [H, W] of
            different sizes; tensors or arrays of any integers, or of bools. An image's may be
            [1, H, W] too, as `TokenData.seg`. They are renumbered in ascending order per image; a
            label's pixels need not be connected.

    Returns:
        `TokenData` for one image; for a batch or list, a PyG `Batch` of them.

    Raises:
        ValueError: Labels and images differ in number or size, or some labels are masked.
        TypeError: Labels are not integers.
    """
    checked, is_batch = checked_images(images)
    hierarchy = Hierarchy.from_partition(*label_maps(checked, partition, is_batch))
    return tokens_from_hierarchy(checked, hierarchy, is_batch=is_batch)


def label_maps(
    images: Sequence[Shaped[Tensor, "3 _H _W"]], partition: Any, is_batch: bool
) -> tuple[list[Int64[Tensor, " _"]], list[int]]:
    """Of each image, its labels as 0 … N − 1 row by row, and N; see `from_partition`."""
    if is_batch and not isinstance(partition, Tensor | np.ndarray | Sequence):
        raise TypeError(f"a batch needs a label map for each image, got {type(partition)}")
    labels = list(partition) if is_batch else [partition]
    if len(labels) != len(images):
        raise ValueError(f"got {len(images)} images but {len(labels)} label maps")
    clusters, counts = [], []
    for index, (image, label_map) in enumerate(zip(images, labels, strict=True)):
        name = f"label map {index}" if is_batch else "label map"
        cluster, count = renumbered(label_map, image.shape[1], image.shape[2], name)
        clusters.append(cluster.to(image.device))
        counts.append(count)
    return clusters, counts


def renumbered(labels: Any, height: int, width: int, name: str) -> tuple[Int64[Tensor, " HW"], int]:
    """Labels of an H×W map as 0 … N − 1 in ascending order, row by row; and N."""
    if not isinstance(labels, Tensor | np.ndarray):
        if not isinstance(labels, Sequence):
            raise TypeError(f"{name} must be an integer tensor or array, got {type(labels)}")
        try:
            labels = np.asarray(labels)
        except ValueError as error:
            raise ValueError(f"{name} must have rows of equal length: {error}") from error
    try:
        ordered = ordered_labels(labels)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if ordered is None:
        raise TypeError(f"{name} must hold integers, got {labels.dtype}")
    if ordered.shape not in ((height, width), (1, height, width)):
        raise ValueError(
            f"{name} must be [{height}, {width}] like its image, got {list(ordered.shape)}"
        )
    found, cluster = torch.unique(ordered.flatten(), return_inverse=True)
    return cluster, len(found)
