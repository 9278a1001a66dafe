"""Fused versions of the hot steps: Numba on the CPU, Triton on CUDA.

They replace the plain operations at run time and add nothing: partitions are the same bit for bit,
vectors to 1e-6. Where a device has none, or within `plain()`, the plain operations serve.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import ModuleType

import torch
from torch.torch_version import TorchVersion

from spitgraph.extensions import optional_module

__all__ = ["fused", "plain"]

_plain: ContextVar[bool] = ContextVar("spitgraph_plain", default=False)
#: What compiles the kernels of each type of device.
COMPILERS = {"cpu": "numba", "cuda": "triton"}


@contextmanager
def plain() -> Iterator[None]:
    """Within it, this thread's tokenizers and extractors use plain PyTorch operations."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


def fused(device: torch.device) -> bool:
    """Whether fused kernels serve tensors of a device."""
    return not _plain.get() and _has_compiler(device.type)


@cache
def _has_compiler(device_type: str) -> bool:
    name = COMPILERS.get(device_type)
    module = None if name is None else optional_module(name)
    return module is not None and (name != "triton" or _triton_serves(module))


def _triton_serves(triton: ModuleType) -> bool:
    """Whether this Triton keeps constants in double precision, and finds a C compiler."""
    if TorchVersion(triton.__version__) < "3.2":
        return False
    compilers = [os.environ["CC"]] if "CC" in os.environ else ["gcc", "clang"]
    return os.environ.get("TRITON_INTERPRET") == "1" or any(map(shutil.which, compilers))
