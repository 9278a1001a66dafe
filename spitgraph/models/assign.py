"""Tensors into a model: all of them, after every one has been checked, or none."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from spitgraph.models.wrappers import is_packed, plain_names, state_of

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
    What a model holds on the meta device gets memory on the CPU.

    Args:
        model: Alone or wrapped. Left exactly as it was if anything does not fit.
        tensors: By the names of the model that is not wrapped.
        names: What the source calls them, for errors.
        source: What the source is, for errors.

    Raises:
        ValueError: A key is missing or left over, a tensor has another shape or dtype, or the
            model's are quantised.
    """
    state = state_of(model)
    own_names = {plain: name for name, plain in plain_names(state).items()}
    target = {plain: state[name] for plain, name in own_names.items()}
    lacked = tuple(part for part in ADDITIONS if not any(key.startswith(part) for key in tensors))
    absent = [key for key in target if key not in tensors and not key.startswith(lacked)]
    left_over = [names.get(key, key) for key in tensors if key not in target]
    if absent or left_over:
        parts = [f"it lacks {listed(absent)}"] if absent else []
        parts += [f"the model has no {listed(left_over)}"] if left_over else []
        hint = missing_part(absent, left_over)
        raise ValueError(f"{source} does not fit the model: {', '.join(parts)}{hint}")
    for key, value in target.items():
        if key in tensors:
            check_fits(tensors[key], value, f"{source}: {names.get(key, key)}")
    check_shared(target, tensors, names, source)
    values = {
        own_names[key]: distributed(tensors[key], value) if key in tensors else zeros_like(value)
        for key, value in target.items()
    }
    give_memory(model)
    model.load_state_dict(values, strict=False)  # not even what averages count


def zeros_like(value: Tensor) -> Tensor:
    """Zeros in the shape of a parameter, in memory even if that has none."""
    return torch.zeros_like(value, device="cpu" if value.is_meta else value.device)


def distributed(tensor: Tensor, parameter: Any) -> Tensor:
    """A tensor as the parameter is: parts of it on several processes, or simply itself."""
    if not hasattr(parameter, "device_mesh"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    tensor = tensor.to(parameter.device)
    return distribute_tensor(tensor, parameter.device_mesh, parameter.placements)


def check_shared(
    target: Mapping[str, Tensor],
    tensors: Mapping[str, Tensor],
    names: Mapping[str, str],
    source: str,
) -> None:
    """Refuse different tensors for names that are one parameter of the model."""
    first: dict[int, str] = {}
    for key in target.keys() & tensors.keys():
        other = first.setdefault(id(target[key]), key)
        if other != key and not torch.equal(tensors[key].double(), tensors[other].double()):
            one, two = sorted((names.get(key, key), names.get(other, other)))
            raise ValueError(f"{source}: {one} and {two} differ, but are one parameter")


def give_memory(model: nn.Module) -> None:
    """Memory on the CPU for parameters and buffers without any; what is shared stays so."""
    made: dict[Tensor, Tensor] = {}
    for module in model.modules():
        for held in (module._parameters, module._buffers):
            add_memory(held, module._non_persistent_buffers_set, made)


def add_memory(held: dict[str, Any], temporary: set[str], made: dict[Tensor, Tensor]) -> None:
    """The same for those of one module, the temporary ones aside."""
    for name, value in held.items():
        if value is None or not value.is_meta or name in temporary:
            continue
        if value not in made:
            empty = torch.empty_like(value, device="cpu")
            is_parameter = isinstance(value, nn.Parameter)
            made[value] = nn.Parameter(empty, value.requires_grad) if is_parameter else empty
        held[name] = made[value]


def listed(names: list[str]) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def missing_part(absent: list[str], left_over: list[str]) -> str:
    """What to create the model with, where that is plain from the names."""
    for part, argument in (
        (".qkv.bias", "qkv_bias"),
        ("graph_bias", "graph_bias"),
        ("norm_pre.", "norm_pre"),
    ):
        if any(part in key for key in left_over) and all(part in key for key in left_over + absent):
            return f"; create it with {argument}=True"
    return ""


def check_fits(tensor: Tensor, parameter: Tensor, what: str) -> None:
    """Refuse a tensor of another shape, or of numbers where the model has none of that kind."""
    if tensor.is_meta:
        raise ValueError(f"{what} has no values: it is on the meta device")
    if is_packed(parameter):
        raise ValueError(
            f"{what} cannot be copied into a {type(parameter).__name__}: load weights before "
            "layers are quantised"
        )
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
