"""What the speed benchmark needs to know of the machine: its parts, bandwidth and memory."""

import ctypes
import os
import platform
import re
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from pathlib import Path

import torch
from methods import Images, Method

from spitgraph.kernels import available

PACKAGES = ("torch", "torch-geometric", "numba", "triton", "numpy", "scikit-image", "fast-slic")
COPIED_BYTES = 2**28
#: What takes long to import. A server does, once, and forks: a fresh process is there at once.
IMPORTED = ["spitgraph.models", "matplotlib.figure", "pandas", "skimage.segmentation"]
# of Linux only
MEMORY, STATUS, RESET = map(Path, ("/proc/meminfo", "/proc/self/status", "/proc/self/clear_refs"))


def description(threads: int) -> str:
    """Where the times were taken."""
    gpu, memory, devices = "none", "?", ["cpu"]
    if MEMORY.exists():
        memory = f"{_kilobytes(MEMORY, 'MemTotal') / 2**20:.1f} GiB"
    if torch.cuda.is_available():
        gpu, devices = torch.cuda.get_device_name(), ["cpu", "cuda"]
    served = [device for device in devices if available(torch.device(device))]
    lines = [
        f"processor: {processor()}, {os.cpu_count()} cores; threads used: {threads}",
        f"memory: {memory}; GPU: {gpu}",
        f"system: {platform.platform()}, Python {platform.python_version()}",
        "packages: " + ", ".join(f"{package} {_version(package)}" for package in PACKAGES),
        f"devices with fused kernels: {', '.join(served) or 'none, the compiler is missing'}",
    ]
    return "\n".join(f"- {line}" for line in lines)


def processor() -> str:
    """The model's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    model = re.search("model name.*: (.*)", info.read_text() if info.exists() else "")
    return model[1] if model else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def copy_bandwidth(device: str) -> float:
    """Bytes a second read and written by copying a large array, best of several times."""
    source = torch.ones(COPIED_BYTES // 4, device=device)
    target, times = torch.empty_like(source), []
    for _ in range(9):
        start = time.perf_counter()
        target.copy_(source)
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return 2 * COPIED_BYTES / min(times)


def available_bytes(device: str) -> float:
    """Memory that may still be taken; no limit where Linux does not tell."""
    if device != "cpu":
        return torch.cuda.mem_get_info()[0]
    return 1024 * _kilobytes(MEMORY, "MemAvailable") if MEMORY.exists() else float("inf")


def peak_bytes(method: Method, images: Images, small: Images, threads: int) -> int | None:
    """Peak memory of one call beyond what was held before, in a fresh process; None if unknown.

    Of methods on a GPU, the GPU's memory. A call on `small` images goes first: it pays for imports,
    compilation and threads.
    """
    if method.device != "cpu":
        return _peak_bytes(method, images, small, threads)
    if not RESET.exists():
        return None
    try:
        with ProcessPoolExecutor(1, mp_context=_server()) as process:
            return process.submit(_peak_bytes, method, images, small, threads).result()
    except BrokenProcessPool:  # ended for want of memory
        return None


@cache
def _server() -> BaseContext:
    context = get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def _peak_bytes(method: Method, images: Images, small: Images, threads: int) -> int:
    torch.set_num_threads(threads)
    method(method.prepared(small))
    given = method.prepared(images)
    if method.device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        method(given)
        return torch.cuda.max_memory_allocated() - before
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)  # what is free and still there would not count
    RESET.write_text("5")
    before = _kilobytes(STATUS, "VmRSS")
    method(given)
    return 1024 * (_kilobytes(STATUS, "VmHWM") - before)


def _kilobytes(file: Path, field: str) -> int:
    line = next(li for li in file.read_text().splitlines() if li.startswith(field))
    return int(line.split()[1])
