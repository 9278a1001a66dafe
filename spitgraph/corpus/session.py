"""Ray for as long as it is needed: quiet, local, and without reporting home."""

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from spitgraph.extras import needs_extra

#: Ray reports home and warns of what does not matter here, unless it is told otherwise.
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
#: Memory of Ray's object store: only numbers of shards pass through it.
STORE_BYTES = 100 * 2**20


@contextmanager
def ray_of(address: str | None, workers: int | None) -> Iterator[None]:
    """Ray is there within: the one at an address, of this process, or one that is started here."""
    with environment(QUIET):
        with needs_extra("cluster"):
            import ray
            import ray.data  # noqa: F401
        if ray.is_initialized():
            yield
            return
        own: dict[str, Any] = {"address": address}
        if address is None:
            own = {
                "address": "local",
                "num_cpus": workers or processors(),
                "include_dashboard": False,
                "object_store_memory": STORE_BYTES,
            }
        try:
            with silent():
                ray.init(logging_level=logging.ERROR, log_to_driver=False, **own)
        except Exception as error:  # of any type, its own and that of its core
            raise RuntimeError(f"Ray could not be started or reached: {error}") from error
        try:
            yield
        finally:
            ray.shutdown()


def processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Within it, these variables are set, those left aside that were so before."""
    added = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def silent() -> Iterator[None]:
    """Within it, what is written to stderr gets lost: Ray's core says there how it is set up."""
    if sys.stderr is not None:
        sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
