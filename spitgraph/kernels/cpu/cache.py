"""Where compiled kernels are kept on disk, and whether all of a pipeline's are there.

One folder holds everything: Numba's files, a pipeline's note that it is complete, and the lock of
the one process of the machine that compiles it.
"""

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

import llvmlite.binding
import numba
from numba.core import config as numba_config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.codegen import get_host_cpu_features
from numba.misc.appdirs import AppDirs

from spitgraph.kernels.pipelines import PACKAGE, PIPELINES, stamp_of_module

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where several processes may compile the same
    fcntl = None  # type: ignore[assignment]

#: Numba's settings, which it makes at run time.
config: Any = numba_config
#: A pipeline that could not be compiled so often is left alone for so many seconds.
MOST_TRIES, FORGIVEN_AFTER = 3, 24 * 3600


@cache
def folder() -> Path | None:
    """The folder; None where nothing may be written, so that nothing can be kept.

    As Numba would choose: `NUMBA_CACHE_DIR`, or beside the sources, or else the user's own. An
    installation that may not be written to, but was warmed up before, keeps what it has.
    """
    installation = f"spitgraph_{hashlib.sha256(str(PACKAGE).encode()).hexdigest()[:16]}"
    if config.CACHE_DIR:
        candidates = [Path(config.CACHE_DIR, installation)]
    else:
        own = AppDirs(appname="numba", appauthor=False).user_cache_dir
        candidates = [PACKAGE / "kernels" / "cpu" / "__pycache__", Path(own, installation)]
    for candidate in candidates:
        if all(_holds(candidate, name) for name in PIPELINES) or _is_writable(candidate):
            return candidate
    return None


def _is_writable(candidate: Path) -> bool:
    try:
        candidate.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=candidate).close()
    except OSError:
        return False
    return True


# ---- what is complete ----------------------------------------------------------------------------


def is_complete(pipeline: str) -> bool:
    """Whether all of its compiled code is on disk, for these sources and this processor."""
    place = folder()
    return place is not None and _holds(place, pipeline)


def _holds(place: Path, pipeline: str) -> bool:
    try:
        files = json.loads((place / _note(pipeline)).read_bytes())["files"]
    except (OSError, ValueError, KeyError):
        return False
    return all((place / file).exists() for file in files)


def note_completion(pipeline: str, kernels: list[Any], seconds: float) -> None:
    """Write down that all of a pipeline's kernels are on disk, and how long that took."""
    place = folder()
    assert place is not None
    files = sorted({file for kernel in kernels for file in _files(kernel)})
    with tempfile.NamedTemporaryFile("w", dir=place, delete=False) as file:
        json.dump({"files": files, "seconds": round(seconds, 1)}, file)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(place / _note(pipeline))
    tries_file(pipeline).unlink(missing_ok=True)


def seconds_to_compile(pipeline: str) -> float:
    """How long it took, whenever that was."""
    place = folder()
    assert place is not None
    return json.loads((place / _note(pipeline)).read_bytes())["seconds"]


def _files(kernel: Any) -> list[str]:
    file = kernel._cache._cache_file
    return [file._index_name, *overloads] if (overloads := file._load_index().values()) else []


def _note(pipeline: str) -> str:
    return f"{_name(pipeline)}.complete"


def _name(pipeline: str) -> str:
    """Different for other sources, another Numba or Python, another processor."""
    code = hashlib.sha256(repr((PIPELINES[pipeline].stamp(), *_machine())).encode())
    return f"{pipeline}-{code.hexdigest()[:16]}"


@cache
def _machine() -> tuple[str, ...]:
    """What Numba compiles for."""
    return (
        sys.version,
        numba.__version__,
        llvmlite.binding.get_process_triple(),
        config.CPU_NAME or llvmlite.binding.get_host_cpu_name(),
        config.CPU_FEATURES or get_host_cpu_features(),
    )


# ---- who compiles --------------------------------------------------------------------------------


@contextmanager
def lock(pipeline: str) -> Iterator[IO[bytes] | None]:
    """The right to compile a pipeline; None while another process has it, or nothing can be kept.

    It belongs to whoever has the file open, a started process too, and ends with the last of them,
    however they end.
    """
    place = folder()
    try:
        assert place is not None
        file = (place / f"{_name(pipeline)}.lock").open("ab")
    except (AssertionError, OSError):
        yield None
        return
    with file:
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
        else:
            yield file


def tries_file(pipeline: str) -> Path:
    """A byte for every time that compiling was begun, but not finished."""
    place = folder()
    assert place is not None
    return place / f"{_name(pipeline)}.tries"


def is_hopeless(pipeline: str) -> bool:
    """Whether compiling has failed too often of late."""
    try:
        status = tries_file(pipeline).stat()
    except OSError:
        return False
    is_old = time.time() - status.st_mtime > FORGIVEN_AFTER
    if is_old:
        with suppress(OSError):
            tries_file(pipeline).unlink()
    return status.st_size >= MOST_TRIES and not is_old


# ---- what Numba keeps ----------------------------------------------------------------------------


class _Locator(_CacheLocator):
    """Numba's view: where a function's code is kept, and what makes it stale.

    Kernels call each other, where Numba by itself would look at a function's own file only.
    """

    def __init__(self, place: Path, function: Any) -> None:
        module, line = function.__module__, function.__code__.co_firstlineno
        self._place = place
        self._stamp = stamp_of_module(module)
        self._disambiguator = f"{module.removeprefix('spitgraph.')}-{line}"

    @classmethod
    def from_function(cls, function: Any, _: str) -> "_Locator | None":
        place = folder()
        return None if place is None else cls(place, function)

    def get_cache_path(self) -> str:
        return str(self._place)

    def get_source_stamp(self) -> str:
        return self._stamp

    def get_disambiguator(self) -> str:
        return self._disambiguator


class _Files(CompileResultCacheImpl):
    _locator_classes = [_Locator]


class KernelCache(FunctionCache):
    """What `numba.njit(cache=True)` would give a kernel, in our folder."""

    _impl_class = _Files

    def save_overload(self, signature: Any, data: Any) -> None:
        """Keep compiled code, unless it may not be written any more."""
        with suppress(OSError):
            super().save_overload(signature, data)
