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
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import IO, Any, NamedTuple

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


class Note(NamedTuple):
    """What is written down when a pipeline is complete.

    Attributes:
        files: Name and digest of each file: one that was damaged since is as good as missing.
        seconds: How long it took to compile.
    """

    files: dict[str, str]
    seconds: float


def is_complete(pipeline: str) -> bool:
    """Whether all of its compiled code is on disk, for these sources and this processor."""
    place = folder()
    return place is not None and _holds(place, pipeline)


def _holds(place: Path, pipeline: str) -> bool:
    try:
        files = _read_note(place, pipeline).files
        return all(_digest(place / name) == digest for name, digest in files.items())
    except (OSError, ValueError, TypeError, AttributeError):  # there is none, or it is no note
        return False


def _read_note(place: Path, pipeline: str) -> Note:
    return Note(**json.loads((place / _note(pipeline)).read_bytes()))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def note_completion(pipeline: str, kernels: list[Any], seconds: float) -> None:
    """Write down that all of a pipeline's kernels are on disk, and how long that took.

    Raises:
        OSError: They are not, since the disk is full, or files there are another user's.
    """
    place = _folder()
    files = sorted({file for kernel in kernels for file in _files(kernel)})
    note = Note({name: _digest(place / name) for name in files}, round(seconds, 1))
    with tempfile.NamedTemporaryFile("w", dir=place, delete=False) as file:
        try:
            json.dump(note._asdict(), file)
            file.flush()
            Path(file.name).chmod(0o644)
            Path(file.name).replace(place / _note(pipeline))
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    tries_file(pipeline).unlink(missing_ok=True)


def forget(pipeline: str) -> None:
    """Let a pipeline be compiled anew, and what is on disk be overwritten."""
    place = _folder()
    with suppress(OSError, ValueError, TypeError, AttributeError):
        for name in _read_note(place, pipeline).files:
            (place / name).unlink(missing_ok=True)
    (place / _note(pipeline)).unlink(missing_ok=True)


def seconds_to_compile(pipeline: str) -> float:
    """How long it took, whenever that was."""
    return _read_note(_folder(), pipeline).seconds


def _files(kernel: Any) -> list[str]:
    """The index of a kernel's compiled code, and the code.

    Raises:
        OSError: Some of it could not be kept.
    """
    if len(kernel._cache.signatures(kernel.targetctx)) < len(kernel.overloads):
        raise OSError(f"no room or no right to write {kernel._cache._cache_file._index_path}")
    file = kernel._cache._cache_file
    return [file._index_name, *overloads] if (overloads := file._load_index().values()) else []


def _folder() -> Path:
    place = folder()
    if place is None:
        raise OSError("there is no folder to keep kernels in")
    return place


def _note(pipeline: str) -> str:
    return f"{_name(pipeline)}.complete"


def _name(pipeline: str) -> str:
    """Different for other sources, another Numba or Python, another processor."""
    code = hashlib.sha256(repr((PIPELINES[pipeline].stamp(), *_machine())).encode())
    return f"{pipeline}-{code.hexdigest()[:16]}"


@cache
def _machine() -> tuple[str, ...]:
    """What Numba compiles for, and from: `-OO` makes other bytecode."""
    return (
        sys.version,
        str(sys.flags.optimize),
        numba.__version__,
        llvmlite.binding.get_process_triple(),
        config.CPU_NAME or llvmlite.binding.get_host_cpu_name(),
        config.CPU_FEATURES or get_host_cpu_features(),
    )


# ---- who compiles --------------------------------------------------------------------------------


@contextmanager
def lock(pipeline: str) -> Iterator[IO[bytes] | None]:
    """The right to compile a pipeline; None while another process has it.

    It belongs to whoever has the file open, a started process too, and ends with the last of them,
    however they end.

    Raises:
        OSError: Nothing can be kept, or nothing be locked.
    """
    with (_folder() / f"{_name(pipeline)}.lock").open("ab") as file:
        is_free = True
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                is_free = False
        yield file if is_free else None


def tries_file(pipeline: str) -> Path:
    """A byte for every time that compiling was begun, but not finished."""
    return _folder() / f"{_name(pipeline)}.tries"


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


_only_loading: ContextVar[bool] = ContextVar("spitgraph_only_loading", default=False)


@contextmanager
def only_loading() -> Iterator[None]:
    """Within it, this thread compiles nothing: code that is missing or damaged is an error."""
    token = _only_loading.set(True)
    try:
        yield
    finally:
        _only_loading.reset(token)


class KernelCache(FunctionCache):
    """What `numba.njit(cache=True)` would give a kernel, in our folder.

    What is damaged there is compiled anew, and replaced.
    """

    _impl_class = _Files

    def signatures(self, target_context: Any) -> list[Any]:
        """Types of the arguments for which there is compiled code.

        Raises:
            LookupError: Some of it was compiled from other bytecode.
        """
        codegen = target_context.codegen()
        kept = [key for key in self._cache_file._load_index() if key[1] == codegen.magic_tuple()]
        ours = [key[0] for key in kept if key == self._index_key(key[0], codegen)]
        if kept and not ours:
            raise LookupError(f"{self._cache_file._index_path} is of other bytecode")
        return ours

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """Compiled code from disk; None where it is to be compiled."""
        try:
            loaded = super().load_overload(signature, target_context)
        except Exception:  # whatever unpickling garbage ends in
            if _only_loading.get():
                raise
            with suppress(OSError):
                Path(self._cache_file._index_path).unlink()
            return None
        if loaded is None and _only_loading.get():
            raise LookupError(f"{self._cache_file._index_path} has no code for {signature}")
        return loaded

    def save_overload(self, signature: Any, data: Any) -> None:
        """Keep compiled code, unless it may not be written any more."""
        with suppress(Exception):  # also whatever an index of another user's ends in
            super().save_overload(signature, data)
