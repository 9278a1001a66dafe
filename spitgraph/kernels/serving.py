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
import threading
import time

from spitgraph.kernels.cpu import cache
from spitgraph.kernels.cpu.jit import IS_COMPILED
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


def is_ready(pipeline: str) -> bool:
    """Whether a pipeline's kernels serve; if not, they are being compiled, or cannot be."""
    if pipeline in _ready:
        return True
    if time.monotonic() < _next_look.get(pipeline, 0.0):
        return False
    _next_look[pipeline] = time.monotonic() + PAUSE
    if not IS_COMPILED or cache.is_complete(pipeline):
        _ready.add(pipeline)
        return True
    if cache.folder() is None:
        _give_up(pipeline, "there is no folder to keep them in; NUMBA_CACHE_DIR names one")
    elif cache.is_hopeless(pipeline):
        _give_up(pipeline, "compiling them failed before; `spitgraph warm-up` says why")
    else:
        _compile_meanwhile(pipeline)
    return False


def _give_up(pipeline: str, reason: str) -> None:
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
    pipeline: str, niceness: int = 0, delay: float = 0.0, stderr: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes] | None:
    """A process that compiles a pipeline; None while there is one already.

    Raises:
        OSError: It could not be started.
    """
    executable = multiprocessing.spawn.get_executable()
    if not executable or getattr(sys, "frozen", False):
        raise OSError("there is no Python interpreter")
    path = [os.path.abspath(entry) for entry in sys.path]
    with cache.lock(pipeline) as lock:
        if lock is None or cache.is_complete(pipeline):
            return None
        return subprocess.Popen(
            [os.fsdecode(executable), "-c", COMMAND, pipeline, str(niceness), str(delay), *path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=[] if os.name == "nt" else [lock.fileno()],  # with it goes the lock
            start_new_session=True,  # it outlives this process, and its Ctrl-C
        )


def warm_up() -> dict[str, float]:
    """Have all kernels compiled, and wait for it; then load them.

    Returns:
        For each pipeline that was not compiled yet, how many seconds that took.

    Raises:
        RuntimeError: Compiling failed.
    """
    missing = [name for name in PIPELINES if name not in _ready and not cache.is_complete(name)]
    seconds = {}
    if cache.folder() is not None and IS_COMPILED:
        _compile_side_by_side(missing)
        seconds = {name: cache.seconds_to_compile(name) for name in missing}
    for name, pipeline in PIPELINES.items():
        start = time.perf_counter()
        if IS_COMPILED:
            pipeline.examples()()
        if cache.folder() is None and name in missing:
            seconds[name] = time.perf_counter() - start
        _ready.add(name)
    return seconds


def _compile_side_by_side(pipelines: list[str]) -> None:
    """A process each, as many at a time as there are processors; or those that others started."""
    started: dict[str, subprocess.Popen[bytes]] = {}
    waiting = list(pipelines)
    while waiting:
        for name in waiting:
            running = sum(process.poll() is None for process in started.values())
            if name not in started and running < (os.cpu_count() or 1):
                process = start_compiler(name, stderr=subprocess.PIPE)
                if process is not None:
                    started[name] = process
            elif name in started and started[name].poll() is not None:
                _, complaint = started[name].communicate()
                if not cache.is_complete(name):
                    reason = complaint.decode(errors="replace").strip()[-2000:]
                    raise RuntimeError(f"the {name} kernels could not be compiled: {reason}")
        waiting = [name for name in waiting if not cache.is_complete(name)]
        time.sleep(0.05)
    for process in started.values():
        process.communicate()
