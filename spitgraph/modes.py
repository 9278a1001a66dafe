"""What devices and PyTorch's modes would do to tokens and vectors, and how they are kept away.

Tokens are the same bits on every device, and neither tokens nor vectors depend on autocast or on
how float32 is multiplied.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

CPU = torch.device("cpu")


def exact_device(device: torch.device) -> torch.device:
    """Where tokens and vectors of a device's images are made.

    The device itself, or the CPU for one that has no float64, such as Apple's MPS.
    """
    return device if device.type in ("cpu", "cuda") or _has_float64(device.type) else CPU


@cache
def _has_float64(device_type: str) -> bool:
    try:
        torch.zeros(1, dtype=torch.float64, device=device_type)
    except (TypeError, RuntimeError, NotImplementedError):
        return False
    return True


def without_autocast(device: torch.device) -> AbstractContextManager:
    """Within it, operations on a device keep the dtypes they are written for."""
    if torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def product(a: Float[Tensor, "*B n k"], b: Float[Tensor, "*B k m"]) -> Float[Tensor, "*B n m"]:
    """The matrix product to the last bits of its dtype.

    `torch.set_float32_matmul_precision` lets float32 be multiplied in fewer bits, but not float64.
    """
    if a.dtype == torch.float32 and torch.get_float32_matmul_precision() != "highest":
        return (a.double() @ b.double()).float()
    return a @ b


def is_eager(tensors: Iterable[Tensor]) -> bool:
    """Whether an operation on tensors of the CPU would be carried out at once, as it is.

    Then what an operator calls may be called in its place: PyTorch's way to it takes longer than a
    small image. Otherwise somebody has to know of it, who traces, transforms, intercepts or
    records operators.
    """
    return (
        not torch.compiler.is_compiling()
        and all(type(t) is Tensor and t.is_cpu and not t.is_neg() for t in tensors)
        and torch._C._get_tracing_state() is None
        and torch._C._len_torch_dispatch_stack() == 0
        and torch._C._len_torch_function_stack() == 0
        and torch._C._functorch.peek_interpreter_stack() is None
        and not torch.autograd.profiler._is_profiler_enabled
    )


def is_transformed(tensor: Tensor) -> bool:
    """Whether a transform of `torch.func` is at work on a tensor, which then has no numbers."""
    return torch._C._functorch.is_functorch_wrapped_tensor(tensor)
