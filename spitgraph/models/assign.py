"""Tensors into a model: all of them, after every one has been checked, or none."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

#: Parts that plain models lack, and that change nothing while they are zero: the hop bias, and the
#: projection of positional encodings.
ADDITIONS = ("backbone.graph_bias.", "embedder.pe_linear.")
#: Names that an error lists before it counts the rest.
LISTED = 4


@torch.no_grad()
def assign(
    model: nn.Module, tensors: Mapping[str, Tensor], names: Mapping[str, str], source: str
) -> None:
    """Copy tensors into the parameters and buffers of the same names.

    What plain models lack altogether becomes zero: with it, the model is the one they come from.

    Args:
        model: Left exactly as it was if anything does not fit.
        tensors: By the model's names.
        names: What the source calls them, for errors.
        source: What the source is, for errors.

    Raises:
        ValueError: A key is missing or left over, or a tensor has another shape or dtype.
    """
    target = model.state_dict()
    lacked = tuple(part for part in ADDITIONS if not any(key.startswith(part) for key in tensors))
    absent = [key for key in target if key not in tensors and not key.startswith(lacked)]
    left_over = [names.get(key, key) for key in tensors if key not in target]
    if absent or left_over:
        parts = [f"it lacks {listed(absent)}"] if absent else []
        parts += [f"the model has no {listed(left_over)}"] if left_over else []
        hint = missing_part(absent, left_over)
        raise ValueError(f"{source} does not fit the model: {', and '.join(parts)}{hint}")
    for key, value in target.items():
        if key in tensors:
            check_fits(tensors[key], value, f"{source}: {names.get(key, key)}")
    for key, value in target.items():
        value.copy_(tensors[key]) if key in tensors else value.zero_()


def listed(names: list[str]) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def missing_part(absent: list[str], left_over: list[str]) -> str:
    """What to create the model with, where that is plain from the names."""
    for part, argument in ((".qkv.bias", "qkv_bias"), ("graph_bias", "graph_bias")):
        if any(part in key for key in left_over) and all(part in key for key in left_over + absent):
            return f"; create it with {argument}=True"
    return ""


def check_fits(tensor: Tensor, parameter: Tensor, what: str) -> None:
    """Refuse a tensor of another shape, or of numbers where the model has none of that kind."""
    came, expected = list(tensor.shape), list(parameter.shape)
    if came != expected:
        hint = ""
        if came == expected[::-1]:
            hint = ": it is transposed"
        elif what.endswith(("head.weight", "head.bias")) and came[1:] == expected[1:]:
            hint = f": create the model with num_classes={came[0]}"
        raise ValueError(f"{what} is {came}, and the model's {expected}{hint}")
    if tensor.is_floating_point() != parameter.is_floating_point():
        raise ValueError(f"{what} is {tensor.dtype}, and the model's {parameter.dtype}")
