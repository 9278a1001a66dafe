"""Fused versions of the hot steps: Numba on the CPU, Triton on CUDA.

They replace the plain operations at run time and add nothing: partitions are the same bit for bit,
vectors to 2e-6. Where a device has none, while they are being compiled (see `serving`), and within
`plain()`, the plain operations serve.
"""

import importlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import ModuleType

import torch
from torch.torch_version import TorchVersion

__all__ = ["available", "fused", "plain", "warm_up"]

_log = logging.getLogger("spitgraph")
_plain: ContextVar[bool] = ContextVar("spitgraph_plain", default=False)
#: What compiles the kernels of each type of device.
COMPILERS = {"cpu": "numba", "cuda": "triton"}
#: What has to be importable for them to serve: an older compiler may lack what it takes.
SERVICES = {"cpu": ("spitgraph.kernels.serving",), "cuda": ()}


@contextmanager
def plain() -> Iterator[None]:
    """Within it, this thread's tokenizers and extractors use plain PyTorch operations."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


def fused(device: torch.device, pipeline: str) -> bool:
    """Whether a pipeline's fused kernels serve tensors of a device, now.

    On a CPU, asking for them is what has them compiled, in another process.
    """
    if _plain.get() or not available(device):
        return False
    if device.type != "cpu":
        return True
    from spitgraph.kernels import serving

    return serving.is_ready(pipeline)


def available(device: torch.device) -> bool:
    """Whether there are kernels for a device, and what compiles them."""
    return _has_compiler(device.type)


def warm_up() -> dict[str, float]:
    """Compile the kernels for the CPU and wait: from then on they serve, and no call waits.

    `spitgraph warm-up` does it from the command line. Otherwise the first call that could use them
    has them compiled by another process, and plain operations serve until they are.

    Returns:
        For each pipeline that was not compiled yet, how many seconds that took; nothing without
        Numba.

    Raises:
        RuntimeError: Compiling failed.
    """
    if not available(torch.device("cpu")):
        return {}
    from spitgraph.kernels import serving

    return serving.warm_up()


@cache
def _has_compiler(device_type: str) -> bool:
    """Whether a device's compiler is there and works; if it is there and does not, that is said."""
    name = COMPILERS.get(device_type)
    if name is None:
        return False
    try:
        module = importlib.import_module(name)
        for service in SERVICES[device_type]:
            importlib.import_module(service)
    except MemoryError:
        raise
    except Exception as error:  # with another NumPy, Numba has raised many kinds
        if not (isinstance(error, ModuleNotFoundError) and error.name == name):
            reason = f"{type(error).__name__}: {error}"
            _log.warning("plain operations serve, %s does not: %s", name, reason)
        return False
    return name != "triton" or _triton_serves(module)


def _triton_serves(triton: ModuleType) -> bool:
    """Whether this Triton keeps constants in double precision, and finds a C compiler."""
    if TorchVersion(triton.__version__) < "3.2":
        return False
    compilers = [os.environ["CC"]] if "CC" in os.environ else ["gcc", "clang"]
    return os.environ.get("TRITON_INTERPRET") == "1" or any(map(shutil.which, compilers))
