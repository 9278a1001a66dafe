"""A device that is not there and has no float64, like Apple's."""

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

#: A type that PyTorch knows, and has no memory of its own for.
DEVICE = torch.device("lazy")


class There(Tensor):
    """A tensor of the device; its numbers are on the CPU, where only the mode finds them."""

    @staticmethod
    def __new__(cls, numbers):
        if numbers.dtype == torch.float64:
            raise TypeError("the device has no float64")
        return Tensor._make_wrapper_subclass(
            cls,
            numbers.shape,
            strides=numbers.stride(),
            storage_offset=numbers.storage_offset(),
            dtype=numbers.dtype,
            device=DEVICE,
        )

    def __init__(self, numbers):
        self.numbers = numbers

    def tolist(self):
        return self.numbers.tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return computed(func, args, kwargs or {})

    __torch_function__ = torch._C._disabled_torch_function_impl


class WithoutFloat64(TorchDispatchMode):
    """Within it there is such a device: tensors can be made on it and moved there."""

    def __enter__(self):
        self.before = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor comes by here with its device
        return super().__enter__()

    def __exit__(self, *error):
        torch._C._set_only_lift_cpu_tensors(self.before)
        return super().__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return computed(func, args, kwargs or {})


def computed(func, args, kwargs):
    """What an operation gives: on the device it names, or else on that of its tensors."""
    leaves = tree_leaves((args, kwargs))
    there = {leaf for leaf in leaves if isinstance(leaf, There)}
    here = [leaf for leaf in leaves if type(leaf) is Tensor and leaf.dim() and not leaf.is_meta]
    device = kwargs.get("device")
    copies = func.name().startswith(("aten::_to_copy", "aten::copy_"))
    if there and here and not copies and device is None:
        raise RuntimeError(f"{func} of tensors on two devices")
    wanted = bool(there) if device is None else torch.device(device).type == DEVICE.type
    if device is not None and wanted:
        kwargs = kwargs | {"device": torch.device("cpu")}
    plain_args, plain_kwargs = tree_map(numbers_of, (args, kwargs))
    result = func(*plain_args, **plain_kwargs)
    if not wanted:
        return result
    known = {id(tensor.numbers): tensor for tensor in there}  # in place: the same again
    return tree_map(lambda value: on_the_device(value, known), result)


def on_the_device(value, known):
    if not isinstance(value, Tensor):
        return value
    return known[id(value)] if id(value) in known else There(value)


def numbers_of(value):
    return value.numbers if isinstance(value, There) else value
