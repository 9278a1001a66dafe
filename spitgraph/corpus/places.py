"""Where files of a corpus are: folders, or whatever fsspec reaches (s3://, gs://, memory://)."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from spitgraph.beside import written_beside
from spitgraph.checks import file_path
from spitgraph.extras import needs_extra


class Place:
    """A file or folder by its path or URL; file systems are opened by each process for itself.

    Args:
        path: Of a folder or file, or a URL that fsspec knows.
        options: What fsspec is told of the file system, such as `{"anon": True}`.
    """

    def __init__(self, path: Any, options: Mapping[str, Any] | None = None) -> None:
        self.path = file_path(path, "path")
        self.options = dict(options or {})
        if not self.path:
            raise ValueError("expected a path, got an empty one")
        if self.path.startswith("file://"):
            self.path = self.path.removeprefix("file://")

    @property
    def is_local(self) -> bool:
        """Whether it is a path of this machine."""
        return "://" not in self.path and "::" not in self.path

    def __repr__(self) -> str:
        return f"Place({self.path!r})"

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, Place) and self.path == other.path
        return same and self.options == other.options  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash(self.path)

    def __str__(self) -> str:
        return self.path

    def __truediv__(self, name: str) -> "Place":
        joined = (
            os.path.join(self.path, name) if self.is_local else f"{self.path.rstrip('/')}/{name}"
        )
        return Place(joined, self.options)

    def _there(self) -> tuple[Any, str]:
        """The file system, and the path in it."""
        with needs_extra("corpus"):
            from fsspec.core import url_to_fs
        return url_to_fs(self.path, **self.options)

    def exists(self) -> bool:
        """Whether something is there."""
        if self.is_local:
            return os.path.exists(self.path)
        system, path = self._there()
        return system.exists(path)

    def is_folder(self) -> bool:
        """Whether it is a folder."""
        if self.is_local:
            return os.path.isdir(self.path)
        system, path = self._there()
        return system.isdir(path)

    def names(self) -> list[str]:
        """Names of what is in a folder, sorted; none where it is not there."""
        if self.is_local:
            return sorted(os.listdir(self.path)) if os.path.isdir(self.path) else []
        system, path = self._there()
        system.invalidate_cache(path)
        held = system.ls(path, detail=False) if system.isdir(path) else []
        return sorted(name.rstrip("/").rsplit("/", 1)[-1] for name in held)

    def walk(self) -> Iterator["Place"]:
        """All files in a folder and in those within, in the order of their names; hidden ones not.

        Folders that links lead to are not entered.
        """
        if self.is_local:
            for folder, inner, names in os.walk(self.path):
                inner[:] = sorted(name for name in inner if not name.startswith("."))
                for name in sorted(names):
                    if not name.startswith("."):
                        yield Place(os.path.join(folder, name), self.options)
            return
        system, path = self._there()
        for found in sorted(system.find(path)):
            if "/." not in found[len(path) :]:
                yield Place(system.unstrip_protocol(found), self.options)

    def make_folder(self) -> None:
        """Make the folder, and those that it is in."""
        if self.is_local:
            os.makedirs(self.path, exist_ok=True)
        else:
            system, path = self._there()
            system.makedirs(path, exist_ok=True)

    def open(self) -> Any:
        """The file, to be read."""
        if self.is_local:
            return open(self.path, "rb")
        system, path = self._there()
        try:
            return system.open(path, "rb")
        except FileNotFoundError:  # by a listing, perhaps, that is older than the file
            system.invalidate_cache()
            return system.open(path, "rb")

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        """All of the file, or a stretch of it; of an object store, by one request."""
        if not self.is_local:
            system, path = self._there()
            return system.cat_file(path, start, None if length is None else start + length)
        with open(self.path, "rb") as file:
            file.seek(start)
            return file.read() if length is None else file.read(length)

    @contextmanager
    def written(self) -> Iterator[Path]:
        """A file of this machine to be written, which is then put here: whole, or not at all.

        Object stores show a file once all of it is there; folders, since it is renamed into place.
        """
        if self.is_local:
            with written_beside(self.path) as unfinished:
                yield unfinished
            return
        with TemporaryDirectory(prefix="spitgraph-") as folder:
            unfinished = Path(folder, self.path.rsplit("/", 1)[-1])
            yield unfinished
            system, path = self._there()
            system.put_file(os.fspath(unfinished), path)

    def remove(self) -> None:
        """Remove the file."""
        if self.is_local:
            os.remove(self.path)
        else:
            system, path = self._there()
            system.rm_file(path)
