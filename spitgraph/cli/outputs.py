"""Files that commands write: whole or not at all, and never in the place of an input."""

import copy
import os
import shutil
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedWriter
from pathlib import Path
from tempfile import mkdtemp
from threading import RLock
from typing import Any

from spitgraph.cli.errors import CommandError, FileError, one_line, unwritable
from spitgraph.cli.interrupts import Interrupts


class FolderError(CommandError):
    """Nothing can be written to the folder."""


class KnownFiles:
    """Files known by what they are on disk, whatever path leads there.

    Symbolic and hard links, bind mounts, and names that a file system takes for the same (in upper
    and lower case, composed and decomposed) all lead to a file that is known.
    """

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self._by_identity: dict[tuple[int, int], Path] = {}
        self._by_name: defaultdict[str, list[Path]] = defaultdict(list)
        for path in paths:
            self.add(path)

    def add(self, path: Path) -> None:
        """Remember a file, and the link if its path is one."""
        for identity in identities(path):
            self._by_identity.setdefault(identity, path)
        self._by_name[folded(path.name)].append(path)

    def find(self, path: Path) -> Path | None:
        """The path of the known file that this one leads to, or is; None if there is none."""
        found = identities(path)
        for identity in found:
            if identity in self._by_identity:
                return self._by_identity[identity]
        # it may have been written anew since it was remembered
        candidates = self._by_name.get(folded(path.name), []) if found else []
        return next((other for other in candidates if found & identities(other)), None)


def identities(path: Path) -> set[tuple[int, int]]:
    """Device and number of what stands at a path, and of the file if that is a link."""
    found = set()
    for look in (os.lstat, os.stat):
        with suppress(OSError, ValueError):
            status = look(path)
            found.add((status.st_dev, status.st_ino))
    return found


def folded(name: str) -> str:
    """The same for all names that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


class Outputs:
    """The files that a command writes to a folder.

    What stands at their place is replaced, links themselves and not what they lead to; but nothing
    that the command reads or has written.

    Args:
        folder: Made when first written to.
        inputs: What the command reads.
        interrupts: Held up while files are moved to their place and rests are removed.
    """

    def __init__(self, folder: Path, inputs: Iterable[Path], interrupts: Interrupts) -> None:
        self.folder = folder
        self._interrupts = interrupts
        self._inputs = KnownFiles(inputs)
        self._written = KnownFiles()
        self._made: list[Path] = []
        self._moving = RLock()
        if os.path.lexists(folder) and not os.path.isdir(folder):
            raise FolderError(f"cannot write to '{folder}': it is no folder")

    def within(self, interrupts: Interrupts) -> "Outputs":
        """The same outputs, for another thread, which holds up interrupts of its own."""
        if interrupts is self._interrupts:
            return self
        other = copy.copy(self)
        other._interrupts = interrupts
        return other

    def check(self, name: str, source: Path) -> None:
        """Refuse a file whose place is that of an input or of another output.

        Args:
            name: Of the file.
            source: What it is made from, to be named.

        Raises:
            FileError: It would replace one of these.
        """
        place = self.folder / name
        known = self._inputs.find(place)
        if known is not None:
            same = "" if known == place else f", which is {known}"
            raise FileError(f"{source} would overwrite the image {place}{same}")
        known = self._written.find(place)
        if known is not None:
            raise FileError(f"{source} would overwrite {known}, which was written just now")

    @contextmanager
    def new_files(self, source: Path) -> Iterator[Path]:
        """A folder to write files in, all of which are moved to their place in the end, or none.

        Args:
            source: What they are made from.

        Raises:
            FolderError: No folder can be made there.
            FileError: A file cannot be written, or would replace what must stay.
        """
        with self._interrupts.allowed(False), ExitStack() as rests:
            unfinished = self._unfinished(rests)
            try:
                with self._interrupts.allowed(True):
                    yield unfinished
                self._move(sorted(unfinished.iterdir()), source)
            except OSError as error:
                place = self.folder
                if isinstance(error.filename, str | os.PathLike):
                    place = place / Path(error.filename).name
                raise unwritable(place, one_line(error)) from error

    def _unfinished(self, rests: ExitStack) -> Path:
        """A new folder in the folder, which is made if need be."""
        rests.callback(self._remove_made)
        try:
            with self._moving:  # no other thread removes the folder before something is in it
                missing = [self.folder, *self.folder.parents]
                for folder in reversed([place for place in missing if not os.path.lexists(place)]):
                    with suppress(FileExistsError):  # somebody else has just made it
                        folder.mkdir()
                        self._made.append(folder)
                unfinished = mkdtemp(dir=self.folder, prefix=".spitgraph-")
        except (OSError, ValueError) as error:
            raise FolderError(f"cannot write to '{self.folder}': {one_line(error)}") from error
        rests.callback(shutil.rmtree, unfinished, ignore_errors=True)
        return Path(unfinished)

    def _remove_made(self) -> None:
        """Remove the folders that were made here and are empty."""
        with self._moving:
            for folder in reversed(self._made):
                with suppress(OSError):
                    folder.rmdir()

    def _move(self, files: list[Path], source: Path) -> None:
        with self._moving:  # one thread at a time
            for file in files:
                self.check(file.name, source)
                place = self.folder / file.name
                if place.is_dir() and not place.is_symlink():
                    raise unwritable(place, "it is a folder")
            for file in files:
                place = self.folder / file.name
                os.replace(file, place)
                self._written.add(place)


def save(tokens: Any, path: Path, interrupts: Interrupts) -> None:
    """`torch.save`, whose errors are the system's; no signal breaks it off.

    Raises:
        OSError: The file cannot be written.
    """
    import torch

    with interrupts.allowed(False):
        try:
            with path.open("wb") as file:
                sink = _Sink(file)
                torch.save(tokens, sink)  # type: ignore[arg-type]
                if sink.error is not None:
                    raise sink.error
        except OSError as error:
            error.filename = error.filename or os.fspath(path)
            raise


class _Sink:
    """A file for PyTorch, which would tell errors of writing in terms of its insides."""

    def __init__(self, file: BufferedWriter) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes | memoryview) -> int:
        """Write, or remember why not."""
        if self.error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self.error = error
        return len(data)

    def flush(self) -> None:
        """Nothing: closing the file does it."""
