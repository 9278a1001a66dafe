"""Files that commands read: ordinary ones, each once."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from spitgraph.cli.errors import CommandError, FileError, one_line, unreadable

#: What is taken for an image in a folder.
SUFFIXES = {
    ".avif",
    ".bmp",
    ".gif",
    ".jpeg",
    ".jpg",
    ".pgm",
    ".png",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
}
#: What a path may lead to in place of an ordinary file. Reading a pipe waits; a device has no end.
OTHERS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_ordinary(path: Path) -> None:
    """Refuse what is no ordinary file.

    Raises:
        FileError: It is something else, or cannot be found.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:  # the latter: a name that no file has
        raise unreadable(path, one_line(error)) from error
    if not stat.S_ISREG(mode):
        kind = OTHERS.get(stat.S_IFMT(mode), "something else")
        raise unreadable(path, f"expected an ordinary file, it is {kind}")


def image_files(paths: Iterable[Path]) -> tuple[list[Path], list[FileError]]:
    """The files named and those in the folders named; and which folders could not be read.

    Raises:
        CommandError: A folder has no image files.
    """
    files: list[Path] = []
    errors: list[FileError] = []
    for path in paths:
        if not os.path.isdir(path):
            files.append(path)
            continue
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            errors.append(unreadable(path, one_line(error)))
            continue
        inside = [path / name for name in names if _may_be_image(path / name)]
        if not inside:
            raise CommandError(f"no image files in {path}")
        files += inside
    return files, errors


def _may_be_image(path: Path) -> bool:
    """Whether a file in a folder is taken for an image: also a link that leads nowhere."""
    if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
        return False
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True  # what is wrong is said when it is read


def is_same_file(path: Path, other: Path) -> bool:
    """Whether both paths lead to one file."""
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):
        return path == other
