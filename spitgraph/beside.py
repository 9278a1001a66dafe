"""Files that are there whole or not at all: written beside their place, and renamed into it."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def written_beside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A file to be written, which then takes its place: whole, or not at all if this fails.

    A new file gets the permissions of the umask, one that is replaced keeps its own. Where the path
    is a link, the file that it leads to is replaced.

    Raises:
        OSError: The folder does not exist, or at the path is something other than a file.
    """
    place = Path(os.path.realpath(path))
    if not place.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place.parent))
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if place.exists() and not place.is_file():
        raise OSError(errno.EINVAL, "not an ordinary file", os.fspath(path))
    with TemporaryDirectory(dir=place.parent, prefix=".spitgraph-") as folder:
        unfinished = Path(folder, place.name)
        unfinished.touch()
        mode = stat.S_IMODE((place if place.exists() else unfinished).stat().st_mode)
        yield unfinished
        if stat.S_IMODE(unfinished.stat().st_mode) != mode:
            unfinished.chmod(mode)
        os.replace(unfinished, place)
