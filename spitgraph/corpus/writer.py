"""Rows → Parquet files, each whole or not there."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any

import numpy as np

from spitgraph.checks import integer
from spitgraph.corpus.places import Place
from spitgraph.corpus.row import Row, row_of
from spitgraph.corpus.schema import UNREADABLE, Layout
from spitgraph.data import TokenData
from spitgraph.extras import needs_extra

with needs_extra("corpus"):
    import pyarrow as pa
    import pyarrow.parquet as pq

#: Of a row group: it is read at once for any of its rows, so it is small.
GROUP_BYTES, GROUP_ROWS = 2**18, 64
#: Columns that are compressed already.
COMPRESSED = ("levels", "pixels")


def part_name(number: int) -> str:
    """Name of one of the files of a corpus."""
    return f"part-{number:05d}.parquet"


def is_part(name: str) -> bool:
    """Whether a name is that of such a file."""
    return name.startswith("part-") and name.endswith(".parquet")


class PartFile:
    """A file that rows are added to; see `part_file`."""

    def __init__(self, writer: "pq.ParquetWriter", layout: Layout) -> None:
        self._writer, self._schema = writer, layout.schema
        self._rows: list[Row] = []
        self._bytes = 0
        self.count = 0

    def add(self, row: Row) -> None:
        """Add a row."""
        self._rows.append(row)
        self._bytes += sum(map(weight, row.values()))
        self.count += 1
        if self._bytes >= GROUP_BYTES or len(self._rows) == GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what was added as a row group."""
        if self._rows:
            columns = {name: [row[name] for row in self._rows] for name in self._schema.names}
            self._writer.write_table(pa.table(columns, self._schema))
        self._rows, self._bytes = [], 0

    def say(self, key: bytes, value: Any) -> None:
        """Have the file say something of itself."""
        self._writer.add_key_value_metadata({key: json.dumps(value)})


def weight(value: Any) -> int:
    """About how many bytes a value takes."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    return len(value) if isinstance(value, bytes | str) else 8


@contextmanager
def part_file(place: Place, layout: Layout) -> Iterator[PartFile]:
    """A Parquet file that rows are added to: there in the end with all of them, or not at all.

    What is in it, and in which bytes, follows from the rows alone.

    Raises:
        OSError: It cannot be written.
    """
    schema = layout.schema
    lists = [field.name for field in schema if pa.types.is_list(field.type)]
    split = [f"{n}.list.element" for n in lists if schema.field(n).type.value_type == pa.float32()]
    with (
        place.written() as unfinished,
        pq.ParquetWriter(
            unfinished,
            schema,
            compression={name: "none" if name in COMPRESSED else "zstd" for name in leaves(schema)},
            use_dictionary=["label_name"],
            use_byte_stream_split=split,
            write_statistics=["label", "num_tokens", "num_edges", "height", "width"],
            write_page_checksum=True,
            store_schema=True,
        ) as writer,
    ):
        part = PartFile(writer, layout)
        yield part
        part.flush()


def leaves(schema: "pa.Schema") -> list[str]:
    """Columns by the names that Parquet has for them."""
    return [f"{f.name}.list.element" if pa.types.is_list(f.type) else f.name for f in schema]


class TokenWriter:
    """Write token graphs as rows of Parquet files, `part-00000.parquet` and so on.

    >>> with TokenWriter("tokens", pixels=True) as writer:
    ...     content = Path("photo.jpg").read_bytes()
    ...     writer.write(tokenizer("photo.jpg"), path="photo.jpg", file=content)

    A file is written beside its place and renamed once it is complete. `TokenDataset` gives back
    what was written, bit for bit, with the exceptions that the arguments make.

    Args:
        path: Folder, made if need be, or URL of one; there are no such files in it.
        pixels: Whether to keep the pictures: the bytes of `file` where they are given, or else a
            lossless file.
        vectors: Type to keep `x` in: `"float16"` (rounded), `"float32"`, or None to leave it out.
        hierarchy: Whether to keep all levels; otherwise the map of the tokens alone, and what is
            read has one level.
        graph: Whether to write the region graph as columns too, for other readers.
        classes: Names of the labels, in order.
        settings: What made the tokens, to be found in the files: anything that JSON knows.
        rows_per_file: The most that a file holds.
        options: What fsspec is told of the file system.

    Raises:
        FileExistsError: There are such files already.
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    def __init__(
        self,
        path: Any,
        *,
        pixels: bool = False,
        vectors: str | None = None,
        hierarchy: bool = True,
        graph: bool = False,
        classes: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
        rows_per_file: int = 4096,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.place = Place(path, options)
        self.layout = Layout(pixels, vectors, hierarchy, graph, tuple(classes), settings or {})
        self.rows_per_file = integer(rows_per_file, "rows_per_file")
        self.place.make_folder()
        if any(map(is_part, self.place.names())):
            raise FileExistsError(f"'{self.place}' holds a corpus already")
        self._files = 0
        self._open = ExitStack()
        self._part: PartFile | None = None

    def write(
        self,
        tokens: TokenData,
        *,
        path: str = "",
        key: str | None = None,
        label: int | None = None,
        file: bytes | None = None,
    ) -> None:
        """Add the row of one image.

        Args:
            tokens: Its token graph.
            path: Of the image.
            key: What it is known by; by default a hash of `file`, of the pixels, or of the map.
            label: Of the image; by default `y`, if that is one whole number.
            file: The bytes of the image's file; kept in place of the pixels, if those are kept.

        Raises:
            ValueError, TypeError: These are not the tokens of an image, hold what no row can, or
                `file` holds another picture.
        """
        row = row_of(tokens, self.layout, path=path, key=key, label=label, file=file)
        if self._part is None:
            place = self.place / part_name(self._files)
            self._part = self._open.enter_context(part_file(place, self.layout))
            self._files += 1
        self._part.add(row)
        if self._part.count == self.rows_per_file:
            self.close()

    def close(self) -> None:
        """Complete the file that is being written."""
        self._part = None
        self._open.close()

    def __enter__(self) -> "TokenWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._part = None
        self._open.__exit__(kind, error, traceback)


def write_part(
    place: Place,
    layout: Layout,
    rows: Iterator[Row],
    unreadable: Callable[[], Sequence[tuple[str, str]]],
) -> int:
    """Write one file of given rows, and what could not be read for it; how many rows there are."""
    with part_file(place, layout) as part:
        for row in rows:
            part.add(row)
        part.say(UNREADABLE, list(unreadable()))
        return part.count
