"""Tensors and arrays as callers have them: of any subclass, in their memory, labels of any type."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

#: Types that labels may have.
INTEGERS = {
    torch.bool,
    *(torch.uint8, torch.uint16, torch.uint32, torch.uint64),
    *(torch.int8, torch.int16, torch.int32, torch.int64),
}


def plain(tensor: Shaped[Tensor, "*S"]) -> Shaped[Tensor, "*S"]:
    """The same tensor without its subclass, as of MONAI or fastai; gradients flow back to it.

    What results would be of the subclass too, and carry what it carries. Left alone are those that
    hold no memory of their own, as PyTorch uses to trace.
    """
    kind = type(tensor)
    if kind is Tensor or kind.__torch_dispatch__ is not Tensor.__torch_dispatch__:
        return tensor
    with torch._C.DisableTorchFunctionSubclass():
        return tensor.as_subclass(Tensor)


def unshared(tensor: Shaped[Tensor, "*S"], source: Tensor) -> Shaped[Tensor, "*S"]:
    """The tensor, or a copy where it lies in the memory of its source."""
    # by their storages themselves: not every device tells where they lie
    same = tensor.untyped_storage()._cdata == source.untyped_storage()._cdata
    return tensor.clone() if same else tensor


def integers(values: Any) -> Int64[Tensor, "*S"]:
    """Integers as an int64 tensor on the CPU: by NumPy in a third of PyTorch's time."""
    return torch.from_numpy(np.array(values, np.int64))


def ordered_labels(labels: Any) -> Int64[Tensor, "*S"] | None:
    """Labels as int64, in their own order; None for what is no tensor or array of integers.

    Raises:
        ValueError: Some are masked.
    """
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "bui":
        if np.ma.is_masked(labels):
            raise ValueError("expected a label for every pixel, got a masked array: fill it first")
        unsigned = labels.dtype.kind == "u" and labels.dtype.itemsize == 8
        labels = torch.from_numpy(np.asarray(labels).astype(np.uint64 if unsigned else np.int64))
    if not isinstance(labels, Tensor):
        return None
    labels = plain(labels)
    if labels.dtype not in INTEGERS or labels.layout != torch.strided:
        return None
    if labels.dtype == torch.uint64:  # its upper half would be negative
        return labels.view(torch.int64).bitwise_xor(-(2**63))
    return labels.to(torch.int64)
