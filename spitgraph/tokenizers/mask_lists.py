"""Lists of overlapping masks: read, and painted one over the other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor

from spitgraph.tensors import plain

#: What lies on top where masks overlap.
ORDERS = {"smallest": "the mask of fewest pixels", "given": "the earlier mask"}
_MASKS = "a bool tensor or array [M, H, W], a list of [H, W], or of SAM's mappings"


def mask_lists(
    images: Sequence[Shaped[Tensor, "3 _H _W"]], masks: Any, is_batch: bool
) -> list[list[Bool[Tensor, "_H _W"]]]:
    """The masks of each image, on its device; see `from_masks`.

    Raises:
        ValueError: Masks and images differ in number or size, or there are none, or one is empty.
        TypeError: Masks are not of bools.
    """
    if is_batch and not isinstance(masks, Tensor | np.ndarray | Sequence):
        raise TypeError(f"a batch needs masks for each image, got {type(masks).__name__}")
    lists = list(masks) if is_batch else [masks]
    if len(lists) != len(images):
        raise ValueError(f"got {len(images)} images but masks of {len(lists)}")
    return [
        masks_of_size(
            given, list(image.shape[1:]), f" of image {index}" if is_batch else "", image.device
        )
        for index, (image, given) in enumerate(zip(images, lists, strict=True))
    ]


def masks_of_size(
    given: Any, size: list[int], of: str, device: torch.device
) -> list[Bool[Tensor, "_H _W"]]:
    """The masks of one image of a size (H, W), on a device."""
    if not isinstance(given, Tensor | np.ndarray | Sequence) or isinstance(given, str):
        raise TypeError(f"masks{of} must be {_MASKS}, got {type(given).__name__}")
    if isinstance(given, Tensor | np.ndarray) and given.ndim != 3:
        raise ValueError(f"masks{of} must be {_MASKS}, got shape {list(given.shape)}")
    if not len(given):
        raise ValueError(f"expected at least one mask{of}, got none")
    return [checked_mask(one, size, f"mask {i}{of}").to(device) for i, one in enumerate(given)]


def checked_mask(one: Any, size: list[int], name: str) -> Bool[Tensor, "H W"]:
    """One mask, checked."""
    if isinstance(one, Mapping):
        if "segmentation" not in one:
            raise ValueError(f"{name} has no 'segmentation', only {', '.join(map(str, one))}")
        one = one["segmentation"]
        if isinstance(one, Mapping):
            raise TypeError(f"{name} is run-length encoded: ask for output_mode='binary_mask'")
    if isinstance(one, np.ndarray) and one.dtype == bool:
        if np.ma.is_masked(one):
            raise ValueError(f"{name} is a masked array: fill it first")
        one = torch.from_numpy(np.array(one, order="C", subok=False))
    if not isinstance(one, Tensor) or one.dtype != torch.bool:
        came = getattr(one, "dtype", type(one).__name__)
        raise TypeError(f"{name} must hold bools, got {came}")
    if list(one.shape) != size:
        raise ValueError(f"{name} must be {size} like its image, got {list(one.shape)}")
    if not bool(one.any()):
        raise ValueError(f"{name} has no pixels")
    return plain(one)


def painted(masks: Sequence[Bool[Tensor, "H W"]], order: str) -> Int64[Tensor, "H W"]:
    """The mask on top of each pixel, −1 where there is none."""
    place = torch.full(masks[0].shape, -1, dtype=torch.int64, device=masks[0].device)
    area = [int(mask.sum()) if order == "smallest" else 0 for mask in masks]
    for index in sorted(range(len(masks)), key=lambda index: (-area[index], -index)):
        place.masked_fill_(masks[index], index)
    return place
