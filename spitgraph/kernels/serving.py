"""Who answers on the CPU: the kernels as soon as they are compiled, plain operations until then.

Nobody waits for a compiler. Whoever first asks for a pipeline whose compiled code is not on disk
starts a process that compiles it, and goes on without. Later calls look again, and load it once it
is there, which takes some tenths of a second; in the caller's thread, since a process that forks
while another thread loads would leave its children a lock that nobody opens.
"""

import logging
import multiprocessing.spawn
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from typing import IO

from spitgraph.kernels.cpu import cache
from spitgraph.kernels.cpu.interrupts import cause_of
from spitgraph.kernels.cpu.jit import IS_COMPILED, kernels_of, load
from spitgraph.kernels.pipelines import PIPELINES

_log = logging.getLogger("spitgraph")

#: Seconds between two looks at the disk.
PAUSE = 1.0
#: How politely the process gives way to others, and how many seconds it waits before it does
#: anything, so that the call that has it started is answered undisturbed.
NICENESS, DELAY = 10, 1.0
#: A process that imports what this one would.
COMMAND = (
    "import sys, time; time.sleep(float(sys.argv[3])); sys.path[:] = sys.argv[4:]; "
    "from spitgraph.kernels.compile import main; main(sys.argv[1], int(sys.argv[2]))"
)

_ready: set[str] = set()
_next_look: dict[str, float] = {}
#: One thread looks at a time, and none while the process forks: the child could never look.
_looking = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_looking.acquire,
        after_in_parent=_looking.release,
        after_in_child=_looking.release,
    )


def is_ready(pipeline: str) -> bool:
    """Whether a pipeline's kernels serve; if not, they are being compiled, or cannot be.

    Whatever goes wrong with Numba goes wrong here: once kernels serve, all of them are loaded.
    """
    if pipeline in _ready:
        return True
    if time.monotonic() < _next_look.get(pipeline, 0.0):
        return False
    with _looking:
        return _is_ready_now(pipeline)


def _is_ready_now(pipeline: str) -> bool:
    if pipeline in _ready:
        return True
    if time.monotonic() < _next_look.get(pipeline, 0.0):  # another thread has just looked
        return False
    try:
        _look(pipeline)
    except MemoryError:
        raise
    except Exception as error:
        _raise_interrupt(error)
        _give_up(pipeline, f"{type(error).__name__}: {error}")
    _next_look[pipeline] = max(_next_look.get(pipeline, 0.0), time.monotonic() + PAUSE)
    return pipeline in _ready


def _look(pipeline: str) -> None:
    if not IS_COMPILED:
        _give_up(pipeline, "Numba is told to compile nothing (NUMBA_DISABLE_JIT)")
    elif cache.is_complete(pipeline):
        _load(pipeline)
    elif cache.folder() is None:
        _give_up(pipeline, "there is no folder to keep them in; NUMBA_CACHE_DIR names one")
    elif cache.is_hopeless(pipeline):
        _give_up(pipeline, "compiling them failed before; `spitgraph warm-up` says why")
    else:
        _compile_meanwhile(pipeline)


def _load(pipeline: str) -> None:
    """Load all of a pipeline's kernels; no kernel is called."""
    PIPELINES[pipeline].examples()  # imports them
    load(PIPELINES[pipeline].modules)
    _ready.add(pipeline)


def _give_up(pipeline: str, reason: str) -> None:
    with _looking:
        if _next_look.get(pipeline) != float("inf"):
            _next_look[pipeline] = float("inf")
            _log.warning("plain operations serve, no %s kernels: %s", pipeline, reason)


def _compile_meanwhile(pipeline: str) -> None:
    try:
        process = start_compiler(pipeline, NICENESS, DELAY)
    except OSError as error:
        return _give_up(pipeline, f"no process could be started to compile them ({error})")
    if process is None:
        return None  # another process has it done

    _log.warning(
        "the %s kernels are being compiled, once for this machine; plain operations serve meanwhile"
        " (spitgraph.warm_up() waits for them)",
        pipeline,
    )

    def watch() -> None:
        if process.wait() != 0 and not cache.is_complete(pipeline):
            _give_up(pipeline, "compiling them failed; `spitgraph warm-up` says why")

    threading.Thread(target=watch, name="spitgraph-compiler", daemon=True).start()


def start_compiler(
    pipeline: str,
    niceness: int = 0,
    delay: float = 0.0,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
) -> subprocess.Popen[bytes] | None:
    """A process that compiles a pipeline; None while there is one already.

    Raises:
        OSError: It could not be started.
    """
    executable = multiprocessing.spawn.get_executable()
    if not executable or getattr(sys, "frozen", False):
        raise OSError("there is no Python interpreter")
    path = [os.path.abspath(entry) for entry in sys.path]
    flags = ["-" + "O" * sys.flags.optimize] if sys.flags.optimize else []
    with cache.lock(pipeline) as lock:
        if lock is None or cache.is_complete(pipeline):
            return None
        return subprocess.Popen(
            [
                os.fsdecode(executable),
                *flags,
                "-c",
                COMMAND,
                *(pipeline, str(niceness), str(delay)),
                *path,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=[] if os.name == "nt" else [lock.fileno()],  # with it goes the lock
            start_new_session=True,  # it outlives this process, and its Ctrl-C
        )


def warm_up() -> dict[str, float]:
    """Have all kernels compiled, and wait for it; then load them.

    What is damaged on disk is compiled anew. Where no process can be started, or nothing be kept,
    this process compiles.

    Returns:
        For each pipeline that was not compiled yet, how many seconds that took.

    Raises:
        RuntimeError: Compiling failed.
    """
    if not IS_COMPILED:
        _log.warning("plain operations serve: Numba is told to compile nothing (NUMBA_DISABLE_JIT)")
        return {}
    seconds = {}
    for is_asked in (_is_missing, _is_damaged):
        for name in _compiled_elsewhere([name for name in PIPELINES if is_asked(name)]):
            seconds[name] = cache.seconds_to_compile(name)
    for name in PIPELINES:
        if _is_missing(name) or _is_damaged(name):
            start = time.perf_counter()
            _compile_here(name)
            seconds[name] = time.perf_counter() - start
    return seconds


def _is_missing(pipeline: str) -> bool:
    return pipeline not in _ready and not cache.is_complete(pipeline)


def _is_damaged(pipeline: str) -> bool:
    """Whether what is on disk cannot be loaded; then it is forgotten, otherwise it serves."""
    if pipeline in _ready or not cache.is_complete(pipeline):
        return False
    try:
        with _looking:
            _load(pipeline)
    except Exception as error:
        _raise_interrupt(error)
        with suppress(OSError):
            cache.forget(pipeline)
        return True
    return False


def _compiled_elsewhere(pipelines: list[str]) -> list[str]:
    """Those that other processes have compiled, where any can be started, and code be kept."""
    if cache.folder() is None:
        return []
    with suppress(OSError):
        _compile_side_by_side(pipelines)
    return [name for name in pipelines if cache.is_complete(name)]


def _compile_here(pipeline: str) -> None:
    """Have this process compile, and keep it if it may."""
    start = time.perf_counter()
    try:
        with _looking:
            PIPELINES[pipeline].examples()()
            _ready.add(pipeline)
    except Exception as error:
        _raise_interrupt(error)
        raise RuntimeError(
            f"the {pipeline} kernels could not be compiled: {type(error).__name__}: {error}"
        ) from error
    with suppress(OSError):
        own = kernels_of(PIPELINES[pipeline].modules)
        cache.note_completion(pipeline, own, time.perf_counter() - start)


def _raise_interrupt(error: Exception) -> None:
    cause = cause_of(error)
    if not isinstance(cause, Exception):
        raise cause


def _compile_side_by_side(pipelines: list[str]) -> None:
    """A process each, as many at a time as there are processors; or those that others started."""
    started: dict[str, subprocess.Popen[bytes]] = {}
    waiting = list(pipelines)
    with ExitStack() as files:
        complaints = {name: files.enter_context(tempfile.TemporaryFile()) for name in pipelines}
        while waiting:
            for name in waiting:
                running = sum(process.poll() is None for process in started.values())
                if name not in started and running < (os.cpu_count() or 1):
                    process = start_compiler(name, stderr=complaints[name])
                    if process is not None:
                        started[name] = process
                elif name in started and _has_failed(started[name], name):
                    complaints[name].seek(0)
                    reason = complaints[name].read().decode(errors="replace").strip()[-2000:]
                    raise RuntimeError(f"the {name} kernels could not be compiled: {reason}")
            waiting = [name for name in waiting if not cache.is_complete(name)]
            time.sleep(0.05)
        for process in started.values():
            process.wait()


def _has_failed(process: subprocess.Popen[bytes], pipeline: str) -> bool:
    return process.poll() is not None and not cache.is_complete(pipeline)
