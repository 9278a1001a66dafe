"""A full disk costs the newest file, not the run."""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_log = logging.getLogger("spitgraph")

#: What a disk says that takes no more.
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def unless_full(path: str | os.PathLike[str]) -> Iterator[None]:
    """Within it, that the disk is full is reported, not raised; other errors are raised.

    Args:
        path: What is written.
    """
    try:
        yield
    except Exception as error:
        if not says_full(error):
            raise
        _log.warning("the disk is full: %s stays as it was", os.fspath(path))


def says_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, is about a full disk."""
    seen: Any = error
    while seen is not None:
        told = getattr(seen, "errno", None) in FULL
        if told or any(f"os error {number}" in str(seen) for number in FULL):  # Rust's words
            return True
        seen = seen.__cause__ or seen.__context__
    return False
