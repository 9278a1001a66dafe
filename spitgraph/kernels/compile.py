"""What the process does that `serving` starts: compile one pipeline's kernels into the cache."""

import gc
import os
import time
from contextlib import suppress

from spitgraph.kernels.cpu import cache, jit
from spitgraph.kernels.pipelines import PIPELINES


def main(name: str, niceness: int) -> None:
    """Compile a pipeline that the starting process has locked."""
    with suppress(OSError, AttributeError):  # what not every system has
        os.nice(niceness)
        if niceness:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with cache.tries_file(name).open("ab") as tries:
        tries.write(b".")
    start = time.perf_counter()
    examples = PIPELINES[name].examples()
    gc.freeze()  # what was imported: each collection would walk through all of it
    examples()
    own = jit.kernels_of(PIPELINES[name].modules)
    cache.note_completion(name, own, time.perf_counter() - start)
