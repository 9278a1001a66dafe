"""What the kernels share: how they are compiled and launched, exact rounding, a hash.

A kernel's arguments are pointers, counts named `num_…`, numbers in single precision, and constants
in capitals. In Triton's interpreter (`TRITON_INTERPRET=1`) the same kernels run on the CPU.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
import triton
import triton.language as tl
from jaxtyping import Int64
from torch import Tensor

from spitgraph.kernels.limits import CUDA_IMAGES, CUDA_PIXELS

P = ParamSpec("P")
R = TypeVar("R")

#: Elements that one program handles.
BLOCK = 512

#: The constants of splitmix64's finaliser, and their inverses modulo 2⁶⁴.
FIRST = tl.constexpr(0xBF58476D1CE4E5B9)
SECOND = tl.constexpr(0x94D049BB133111EB)
FIRST_INVERSE = tl.constexpr(pow(0xBF58476D1CE4E5B9, -1, 2**64))
SECOND_INVERSE = tl.constexpr(pow(0x94D049BB133111EB, -1, 2**64))
#: Doubles of this size are whole numbers.
WHOLE = tl.constexpr(1.5 * 2.0**52)


def kernel(function: Callable) -> Any:
    """Compile a function with Triton, once for all counts and all alignments of the pointers.

    What a checker of types has wrapped around it is taken off: Triton needs the function itself.
    """
    function = inspect.unwrap(function)
    arguments = inspect.signature(function).parameters.values()
    variable = [a.name for a in arguments if a.annotation is a.empty]  # constants are annotated
    return triton.jit(function, do_not_specialize=variable)


def on_own_device(function: Callable[P, R]) -> Callable[P, R]:
    """Launch on the GPU where the tensors are, whichever is the current one."""

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        tensor = next(x for x in (*args, *kwargs.values()) if isinstance(x, Tensor))
        if tensor.device.type != "cuda":
            return function(*args, **kwargs)
        with torch.cuda.device(tensor.device):
            return function(*args, **kwargs)

    return guarded


def launch(kernel: Any, elements: int, images: int, /, **arguments: Any) -> None:
    """Run a kernel on so many elements of each image, `BLOCK` of them a program.

    Multiplications and additions are never fused: every operation rounds as in plain PyTorch.

    Args:
        kernel: What runs.
        elements: Pixels, regions or edges of the image that has most.
        images: Rows of programs, an image each; 1 where a batch's elements are in one row.
        arguments: The kernel's own, by name, without `BLOCK`.
    """
    if elements and images:
        grid = (triton.cdiv(elements, BLOCK), images)
        kernel[grid](**arguments, BLOCK=BLOCK, enable_fp_fusion=False)


def check_batch(images: int, pixels: int) -> None:
    """Refuse a batch of more pixels, or of more images, than the kernels can number."""
    if images > CUDA_IMAGES:
        raise ValueError(f"a batch may have at most {CUDA_IMAGES} images, got {images}")
    if pixels > CUDA_PIXELS:
        raise ValueError(f"a batch may have at most {CUDA_PIXELS} pixels, got {pixels}")


def on_device(
    numbers: Sequence[int] | Sequence[Sequence[int]], device: torch.device
) -> Int64[Tensor, "*S"]:
    """A row or table of whole numbers, copied to the device without waiting for it."""
    table = torch.tensor(numbers, dtype=torch.int64, device="cpu")
    if device.type == "cuda":
        table = table.pin_memory()
    return table.to(device, non_blocking=True)


@kernel
def whole(x):
    """The nearest whole number of a double below 2⁵¹, ties to even."""
    return ((x + WHOLE) - WHOLE).to(tl.int64)


@kernel
def mix(x):
    """The finaliser of splitmix64, as in `spitgraph.contraction.select.edge_priority`."""
    x = x.to(tl.uint64, bitcast=True)
    x = (x ^ (x >> 30)) * FIRST
    x = (x ^ (x >> 27)) * SECOND
    return (x ^ (x >> 31)).to(tl.int64, bitcast=True)


@kernel
def unmix(x):
    """What `mix` made x of: it is a bijection."""
    x = x.to(tl.uint64, bitcast=True)
    x = (x ^ (x >> 31) ^ (x >> 62)) * SECOND_INVERSE
    x = (x ^ (x >> 27) ^ (x >> 54)) * FIRST_INVERSE
    return (x ^ (x >> 30) ^ (x >> 60)).to(tl.int64, bitcast=True)
