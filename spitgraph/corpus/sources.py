"""What a corpus is made of: image files, rows of Parquet, members of WebDataset shards, or a list.

Listing reads names, footers and headers, never a picture. `fetch` reads the bytes of one.
"""

import os
import tarfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from spitgraph.corpus.places import Place
from spitgraph.extras import needs_extra
from spitgraph.train.pictures.folders import ENDINGS

with needs_extra("corpus"):
    import pyarrow as pa
    import pyarrow.parquet as pq

#: Lists of paths: one a line, perhaps a label after a tab.
LISTS = (".txt", ".tsv", ".lst")
#: By which an image's label is the name of the folder that it lies in.
BY_FOLDER = "folder"


class Entry(NamedTuple):
    """Where the bytes of a picture are.

    Attributes:
        path: Of the file that holds them.
        member: Name within a tar file.
        start: Where they begin in it, or the number of a row of Parquet; −1 for a file itself.
        length: How many they are, of a member; else −1.
        label: What the source says of the picture, as text.
    """

    path: str
    member: str | None = None
    start: int = -1
    length: int = -1
    label: str | None = None

    @property
    def name(self) -> str:
        """What the picture is called in a corpus."""
        if self.member is not None:
            return f"{self.path}/{self.member}"
        return self.path if self.start < 0 else f"{self.path}#{self.start}"


class SourceError(ValueError):
    """There is nothing to be made tokens of, or not as was asked for."""


class Source:
    """Pictures to be listed, always in the same order.

    Args:
        path: A folder (with all folders in it), a `.parquet` or `.tar` file, or a list of paths
            (`.txt`), which are relative to the folder of the list. A folder's image files, rows
            and members are taken together. URLs that fsspec knows may stand for paths.
        labels: `"folder"` for the names of the folders that image files lie in, the name of a
            column for Parquet, the ending of the members that hold them (`"cls"`) for tar files.
        column: Of the pictures, for Parquet: bytes, paths, or `{bytes, path}` as of Hugging Face;
            by default the first column of such a type.
        options: What fsspec is told of the file system.
    """

    def __init__(
        self,
        path: Any,
        labels: str | None = None,
        column: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.place, self.labels, self.column = Place(path, options), labels, column

    def __iter__(self) -> Iterator[Entry]:
        """Every picture.

        Raises:
            SourceError: There is nothing of that name, no such column, or a damaged file of many.
        """
        if self.place.is_folder():
            files = self.place.walk()
        elif self.place.exists():
            files = iter([self.place])
        else:
            raise SourceError(f"there is no '{self.place}'")
        for file in files:
            yield from self._entries(file)

    def _entries(self, file: Place) -> Iterator[Entry]:
        ending = os.path.splitext(file.path)[1].lower()
        if ending == ".parquet":
            yield from self._rows(file)
        elif ending == ".tar":
            try:
                yield from self._members(file)
            except tarfile.TarError as error:
                raise SourceError(f"'{file}' is no tar file, or not all of one: {error}") from error
        elif ending in ENDINGS:
            folder = os.path.basename(os.path.dirname(file.path))
            yield Entry(file.path, label=folder if self.labels == BY_FOLDER else None)
        elif file.path == self.place.path:
            if ending not in LISTS:
                raise SourceError(f"'{file}' is no folder, image, .parquet, .tar or list (.txt)")
            yield from self._lines(file)

    def _lines(self, file: Place) -> Iterator[Entry]:
        folder = os.path.dirname(file.path)
        for line in file.read().decode("utf-8", "surrogateescape").splitlines():
            name, _, label = line.partition("\t")
            if not name.strip():
                continue
            path = name if "://" in name or not folder else os.path.join(folder, name)
            if self.labels == BY_FOLDER:
                label = os.path.basename(os.path.dirname(path))
            yield Entry(path, label=label or None)

    def _rows(self, file: Place) -> Iterator[Entry]:
        with file.open() as stream:
            held = parquet(stream, file)
            picture_column(held.schema_arrow, self.column, file)
            if self.labels in (None, BY_FOLDER):
                for row in range(held.metadata.num_rows):
                    yield Entry(file.path, start=row)
                return
            if self.labels not in held.schema_arrow.names:
                raise SourceError(f"'{file}' has no column {self.labels!r}")
            labels = held.read([self.labels]).column(0)
            for row, label in enumerate(labels.to_pylist()):
                yield Entry(file.path, start=row, label=None if label is None else str(label))

    def _members(self, file: Place) -> Iterator[Entry]:
        """Pictures of a WebDataset shard: a sample's files are named alike before the first dot."""
        with file.open() as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            waiting: list[tuple[tarfile.TarInfo, str]] = []
            sample, label = None, None
            for member in archive:
                if not member.isfile():
                    continue
                folder, _, base = member.name.rpartition("/")
                stem, _, ending = base.partition(".")
                if (folder, stem) != sample:
                    yield from self._sample(file, waiting, label)
                    sample, waiting, label = (folder, stem), [], None
                if ending == self.labels:
                    content = archive.extractfile(member)
                    label = content.read().decode().strip() if content else None
                elif os.path.splitext(base)[1].lower() in ENDINGS:
                    waiting.append((member, os.path.basename(folder)))
            yield from self._sample(file, waiting, label)

    def _sample(
        self, file: Place, members: list[tuple[tarfile.TarInfo, str]], label: str | None
    ) -> Iterator[Entry]:
        for member, folder in members:
            own = folder if self.labels == BY_FOLDER else label
            yield Entry(file.path, member.name, member.offset_data, member.size, own)


def parquet(stream: Any, place: Place) -> "pq.ParquetFile":
    """A Parquet file, of whomever.

    Raises:
        SourceError: It is none.
    """
    try:
        return pq.ParquetFile(stream)
    except pa.ArrowInvalid as error:
        raise SourceError(f"'{place}' is no Parquet file: {error}") from error


def holds_pictures(kind: "pa.DataType") -> bool:
    """Whether a column may hold pictures: bytes, paths, or both."""
    if pa.types.is_struct(kind):
        return {"bytes", "path"} <= {kind.field(i).name for i in range(kind.num_fields)}
    texts = (pa.types.is_string, pa.types.is_large_string)
    return any(is_so(kind) for is_so in (pa.types.is_binary, pa.types.is_large_binary, *texts))


def picture_column(schema: "pa.Schema", asked: str | None, place: Place) -> str:
    """The column of pictures.

    Raises:
        SourceError: There is none.
    """
    fitting = [field.name for field in schema if holds_pictures(field.type)]
    if asked is not None:
        if asked not in fitting:
            raise SourceError(f"'{place}' has no column {asked!r} of bytes or paths; {fitting} are")
        return asked
    texts = {
        f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)
    }
    best = [name for name in fitting if name not in texts] or fitting
    if not best:
        raise SourceError(f"'{place}' has no column of pictures: bytes or paths")
    return best[0]


def fetch(entry: Entry, column: str | None, options: Mapping[str, Any] | None = None) -> bytes:
    """The bytes of a picture's file.

    Raises:
        OSError: They cannot be read.
    """
    place = Place(entry.path, options)
    if entry.member is not None:
        content = place.read(entry.start, entry.length)
        if len(content) != entry.length:
            raise OSError(f"'{place}' ends within {entry.member}")
        return content
    if entry.start < 0:
        return place.read()
    rows, first = _group(place.path, entry.start, column, tuple((options or {}).items()))
    value = rows[entry.start - first].as_py()
    if isinstance(value, dict):
        value = value["path"] if value["bytes"] is None else value["bytes"]
    if value is None:
        raise FileNotFoundError("the row holds no picture")
    if isinstance(value, bytes):
        return value
    folder = os.path.dirname(place.path)
    path = value if "://" in value or not folder else os.path.join(folder, value)
    return Place(path, options).read()


@lru_cache(maxsize=64)
def _ends(path: str, options: tuple[Any, ...]) -> list[int]:
    """Where the row groups of a file end."""
    place, ends = Place(path, dict(options)), [0]
    with place.open() as file:
        about = parquet(file, place).metadata
        for group in range(about.num_row_groups):
            ends.append(ends[-1] + about.row_group(group).num_rows)
    return ends


@lru_cache(maxsize=1)
def _column_of(path: str, group: int, column: str | None, options: tuple[Any, ...]) -> Any:
    place = Place(path, dict(options))
    with place.open() as file:
        held = parquet(file, place)
        name = picture_column(held.schema_arrow, column, place)
        return held.read_row_group(group, [name], use_threads=False).column(0)


def _group(path: str, row: int, column: str | None, options: tuple[Any, ...]) -> tuple[Any, int]:
    """The column's values in the row group of a row, and the first row of that."""
    ends = _ends(path, options)
    group = next(i for i, end in enumerate(ends[1:]) if row < end)
    return _column_of(path, group, column, options), ends[group]
