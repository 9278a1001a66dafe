"""Fused versions of the hot steps: Numba on the CPU, Triton on CUDA.

They replace the plain operations at run time and add nothing: partitions are the same bit for bit,
vectors to 1e-6. Where a device has none, or within `plain()`, the plain operations serve.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import torch

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
    return name is not None and optional_module(name) is not None
