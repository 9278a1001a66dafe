"""Rows of many Parquet files by number: footers are read at once, row groups when asked for."""

import copy
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from spitgraph.corpus.places import Place
from spitgraph.corpus.schema import Layout
from spitgraph.corpus.writer import is_part
from spitgraph.extras import needs_extra

with needs_extra("corpus"):
    import pyarrow as pa
    import pyarrow.parquet as pq

#: Files that a process holds open, and how many footers are asked for at once.
OPEN_FILES, AT_ONCE = 64, 16


class PartTable:
    """The rows of files, one file after the other.

    It can be pickled; open files and what was read stay with the process that did so.

    Args:
        places: Of the files.
        columns: What to read of a row.
        cached_groups: How many row groups a process keeps.

    Attributes:
        layouts: What each file holds.
        starts: [G + 1] int64, first row of each row group, and the number of rows.
        groups: [G, 2] int64, file of each row group, and its number in there.
    """

    def __init__(self, places: Sequence[Place], columns: Sequence[str], cached_groups: int) -> None:
        self.places, self.columns, self.cached_groups = list(places), columns, cached_groups
        local = all(place.is_local for place in places)
        with ThreadPoolExecutor(1 if local else AT_ONCE) as pool:
            found = list(pool.map(footer, self.places))
        self.layouts = [layout for layout, _ in found]
        counts = [count for _, counts in found for count in counts]
        self.starts = np.cumsum([0, *counts], dtype=np.int64)
        self.groups = np.array(
            [(file, group) for file, (_, own) in enumerate(found) for group in range(len(own))],
            dtype=np.int64,
        ).reshape(-1, 2)
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._files: OrderedDict[int, Any] = OrderedDict()
        self._tables: OrderedDict[int, Any] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {name: held for name, held in vars(self).items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def keeping(self, groups: int) -> "PartTable":
        """The same rows, read on their own, so many row groups of which are kept."""
        other = copy.copy(self)
        other.cached_groups = groups
        other._forget()
        return other

    def __len__(self) -> int:
        return int(self.starts[-1])

    def group_of(self, row: int) -> int:
        """The row group that a row is in."""
        return int(np.searchsorted(self.starts, row, side="right")) - 1

    def row(self, row: int) -> tuple[dict[str, Any], Layout]:
        """The values of a row, and the layout of its file."""
        group = self.group_of(row)
        place = row - int(self.starts[group])
        table = self._table(group)
        values = {name: value_at(table.column(name), place) for name in table.column_names}
        return values, self.layouts[self.groups[group, 0]]

    def column(self, name: str) -> "pa.ChunkedArray":
        """A column of all files."""
        parts = [self._file(file).read([name]).column(name) for file in range(len(self.places))]
        return pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)

    def _table(self, group: int) -> "pa.Table":
        self._check_process()
        return kept(self._tables, group, self._read, self.cached_groups)

    def _read(self, group: int) -> "pa.Table":
        file, number = self.groups[group].tolist()
        held = self._file(file)
        columns = [name for name in self.columns if name in held.schema_arrow.names]
        return held.read_row_group(number, columns, use_threads=False).combine_chunks()

    def _file(self, file: int) -> "pq.ParquetFile":
        self._check_process()
        return kept(self._files, file, self._opened, OPEN_FILES)

    def _opened(self, file: int) -> "pq.ParquetFile":
        return opened(self.places[file])

    def _check_process(self) -> None:
        if self._process != os.getpid():  # a fork: handles and positions are the parent's
            self._forget()


def kept(held: OrderedDict[int, Any], key: int, make: Callable[[int], Any], most: int) -> Any:
    """What is held under a key, or made; of more than so many, the one longest unused goes."""
    if key in held:
        held.move_to_end(key)
    else:
        held[key] = make(key)
        if len(held) > most:
            held.popitem(last=False)
    return held[key]


def opened(place: Place) -> "pq.ParquetFile":
    """A Parquet file; one of this machine is mapped, so that processes share its pages."""
    try:
        if place.is_local:
            return pq.ParquetFile(place.path, memory_map=True, page_checksum_verification=True)
        return pq.ParquetFile(place.open(), pre_buffer=True, page_checksum_verification=True)
    except pa.ArrowInvalid as error:
        raise ValueError(f"'{place}' is no Parquet file: {error}") from error


def footer(place: Place) -> tuple[Layout, list[int]]:
    """Layout of a file, and the rows of its row groups."""
    file = opened(place)
    about = file.metadata
    counts = [about.row_group(group).num_rows for group in range(about.num_row_groups)]
    return Layout.of(file.schema_arrow, str(place)), counts


def parts_of(place: Place) -> list[Place]:
    """The files of a corpus: those in a folder, or the one that is named.

    Raises:
        FileNotFoundError: There is none.
    """
    if place.is_folder():
        names = [name for name in place.names() if is_part(name)]
        if not names:
            raise FileNotFoundError(f"no part-*.parquet in '{place}'")
        return [place / name for name in names]
    if not place.exists():
        raise FileNotFoundError(f"there is no '{place}'")
    return [place]


def value_at(column: "pa.ChunkedArray", place: int) -> Any:
    """A value of a column; bytes are copied, lists are arrays."""
    scalar = column[place]
    if pa.types.is_list(column.type):
        return None if scalar.values is None else scalar.values.to_numpy(zero_copy_only=False)
    return scalar.as_py()
