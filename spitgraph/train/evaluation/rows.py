"""Tables that grow by a row a run, as CSV files."""

import csv
import errno
import os
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from spitgraph.beside import written_beside


def check_table(path: str | os.PathLike[str], columns: Iterable[str]) -> None:
    """Refuse a table with other columns, or where none can be written; there may be none yet.

    Args:
        path: Of a CSV file.
        columns: Names, in order.

    Raises:
        ValueError: It has others; the first that differs is named.
        OSError: It cannot be read or written.
    """
    columns, place = list(columns), Path(os.path.realpath(path))
    try:
        there = header(whole(place))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no table of CSV: {error}") from error
    folder = next(folder for folder in place.parents if folder.exists())
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    if not there or there == columns:
        return
    extra = [name for name in there if name not in columns]
    lacking = [name for name in columns if name not in there]
    problem = "they are the same in another order"
    if extra or lacking:
        problem = "; ".join(
            f"{what} {', '.join(map(repr, names[:5]))}"
            for what, names in (("it has", extra), ("it lacks", lacking))
            if names
        )
    raise ValueError(f"{path} has other columns: {problem}")


def append_row(path: str | os.PathLike[str], row: Mapping[str, Any]) -> None:
    """Add a row to a table, and in a new one a header before it.

    The table is written anew beside its place and then moved there: whoever reads it, and whatever
    goes wrong, finds it with the row or without, never with part of it. Of two runs that add a row
    at the same moment, one may be lost. A link stays one.

    Args:
        path: Of a CSV file; it and its folder are made if need be.
        row: Cells by column; None is an empty cell.

    Raises:
        ValueError: It has other columns.
        OSError: It cannot be read or written.
    """
    place = Path(os.path.realpath(path))
    check_table(place, row)
    before = whole(place)
    text = StringIO()
    writer = csv.DictWriter(text, list(row), lineterminator="\n")
    if not header(before):
        writer.writeheader()
    writer.writerow(row)
    gap = "\n" if before and not before.endswith(("\n", "\r")) else ""
    place.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(place) as unfinished:
        unfinished.write_bytes((before + gap + text.getvalue()).encode())


def whole(path: Path) -> str:
    """What is in a file; nothing where there is none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def header(text: str) -> list[str]:
    """The first row of a table; none of an empty one."""
    return next(csv.reader(StringIO(text, newline="")), [])
