"""What a corpus is made from, listed once: shards of so many pictures, each of which is one file.

What a file of the corpus holds follows from the manifest alone: not from who wrote it, when, or
what was there before. A shard whose file exists is done.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from typing import Any, NamedTuple

from spitgraph.corpus.places import Place
from spitgraph.corpus.sources import Entry
from spitgraph.corpus.writer import part_name
from spitgraph.extras import needs_extra

with needs_extra("corpus"):
    import pyarrow as pa
    import pyarrow.parquet as pq

#: Written last: a manifest without it is not whole.
NAME, FOLDER = "corpus.json", "manifest"
#: Shards listed in one file, each as a row group.
SHARDS = 1024
#: Paths are bytes: those of some files are no text.
SCHEMA = pa.schema(
    [
        pa.field("path", pa.binary(), nullable=False),
        pa.field("member", pa.binary()),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("label", pa.string()),
    ]
)


class OtherSettingsError(ValueError):
    """A corpus was begun with other settings."""


class Manifest(NamedTuple):
    """The list of a corpus.

    Attributes:
        place: Of the corpus.
        settings: What it is made from, and how.
        images: How many pictures are listed.
        per_shard: How many a shard has; the last one may have fewer.
        classes: Names of their labels, sorted; none where labels are numbers.
    """

    place: Place
    settings: dict[str, Any]
    images: int
    per_shard: int
    classes: tuple[str, ...]

    @property
    def shards(self) -> int:
        """How many files the corpus has."""
        return -(-self.images // self.per_shard)

    def size(self, shard: int) -> int:
        """Pictures of a shard."""
        return min(self.per_shard, self.images - shard * self.per_shard)

    def part(self, shard: int) -> Place:
        """The file of a shard."""
        return self.place / part_name(shard)

    def entries(self, shard: int) -> list[Entry]:
        """The pictures of a shard."""
        file = self.place / FOLDER / f"manifest-{shard // SHARDS:05d}.parquet"
        with file.open() as stream:
            rows = pq.ParquetFile(stream).read_row_group(shard % SHARDS, use_threads=False)
        return [
            Entry(
                os.fsdecode(row["path"]),
                None if row["member"] is None else os.fsdecode(row["member"]),
                row["start"],
                row["length"],
                row["label"],
            )
            for row in rows.to_pylist()
        ]

    def label(self, entry: Entry) -> int | None:
        """The number of a picture's label."""
        if entry.label is None:
            return None
        return self.classes.index(entry.label) if self.classes else int(entry.label)

    def missing(self) -> list[int]:
        """Shards whose files are not there yet."""
        there = set(self.place.names())
        return [shard for shard in range(self.shards) if part_name(shard) not in there]


def manifest_of(
    place: Place, entries: Iterable[Entry], per_shard: int, settings: Mapping[str, Any]
) -> Manifest:
    """The manifest of a corpus: what is there already, or newly listed.

    Args:
        place: Of the corpus; the folder is made.
        entries: What it is made from; asked for only if it was not listed before.
        per_shard: Pictures of a shard.
        settings: What it is made from, and how: anything that JSON knows.

    Raises:
        OtherSettingsError: It was begun with others.
        ValueError: There are no pictures.
    """
    wanted = json.loads(json.dumps({**settings, "images per file": per_shard}))
    if (place / NAME).exists():
        held = read(place)
        for name in {**wanted, **held.settings}:
            asked, there = wanted.get(name), held.settings.get(name)
            if asked != there:
                raise OtherSettingsError(
                    f"'{place}' was begun with {name} {there!r}, not {asked!r}: "
                    "give the same, or another folder"
                )
        return held
    place.make_folder()
    if any(name.startswith("part-") for name in place.names()):
        raise OtherSettingsError(f"'{place}' holds a corpus that was made otherwise")
    images, labels = listed(place, entries, per_shard)
    if not images:
        raise ValueError("no pictures were found")
    is_named = any(not is_number(label) for label in labels)
    about = {
        "images": images,
        "classes": sorted(labels) if is_named else [],
        "settings": wanted,
    }
    with (place / NAME).written() as unfinished:
        unfinished.write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8")
    return read(place)


def read(place: Place) -> Manifest:
    """The manifest of a corpus that has one."""
    held = json.loads((place / NAME).read())
    settings = held["settings"]
    return Manifest(
        place, settings, held["images"], settings["images per file"], tuple(held["classes"])
    )


def listed(place: Place, entries: Iterable[Entry], per_shard: int) -> tuple[int, set[str]]:
    """Write all entries, a row group a shard; how many there are, and which labels."""
    folder = place / FOLDER
    folder.make_folder()
    images, labels = 0, set()
    with ExitStack() as current:
        for shard, some in enumerate(chunks(entries, per_shard)):
            if shard % SHARDS == 0:
                current.close()
                file = folder / f"manifest-{shard // SHARDS:05d}.parquet"
                unfinished = current.enter_context(file.written())
                writer = current.enter_context(
                    pq.ParquetWriter(unfinished, SCHEMA, compression="zstd")
                )
            writer.write_table(table(some), row_group_size=per_shard)
            images += len(some)
            labels |= {entry.label for entry in some if entry.label is not None}
    return images, labels


def table(entries: list[Entry]) -> "pa.Table":
    """Entries as rows."""
    return pa.table(
        {
            "path": [os.fsencode(entry.path) for entry in entries],
            "member": [None if e.member is None else os.fsencode(e.member) for e in entries],
            "start": [entry.start for entry in entries],
            "length": [entry.length for entry in entries],
            "label": [entry.label for entry in entries],
        },
        SCHEMA,
    )


def chunks(entries: Iterable[Entry], count: int) -> Iterator[list[Entry]]:
    """So many at a time."""
    rest = iter(entries)
    while some := list(islice(rest, count)):
        yield some


def is_number(label: str) -> bool:
    """Whether a label is a whole number of 64 bits, not below 0."""
    return label.isascii() and label.isdigit() and int(label) < 2**63
