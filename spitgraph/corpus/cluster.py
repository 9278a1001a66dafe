"""A corpus tokenised by actors of Ray Data: it schedules, retries, and holds back what is ahead."""

import json
import logging
import os
import pickle
import shutil
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from spitgraph.checks import integer
from spitgraph.corpus.manifest import Manifest, manifest_of
from spitgraph.corpus.places import Place
from spitgraph.corpus.schema import UNREADABLE, Layout
from spitgraph.corpus.session import ray_of
from spitgraph.corpus.shard import ShardWriter
from spitgraph.corpus.sources import Source
from spitgraph.corpus.table import opened
from spitgraph.extractors import Extractor
from spitgraph.extras import needs_extra
from spitgraph.tokenizers import VoronoiTokenizer
from spitgraph.tokenizers.base import Tokenizer
from spitgraph.train.data.counts import told_by_settings

with needs_extra("corpus"):
    import pyarrow as pa
    import pyarrow.parquet as pq

#: The side table of what could not be read.
SIDE_TABLE = "unreadable.parquet"
#: What is unfinished in a folder begins with this.
UNFINISHED = ".spitgraph-"
#: Tasks that Ray is given at most; each is of several shards where there are more.
MOST_TASKS = 10_000


class Done(NamedTuple):
    """What became of a corpus.

    Attributes:
        images: Pictures that were listed.
        unreadable: Those of them that have no row; `unreadable.parquet` says why.
        new: Pictures that this call went through; the others were done before.
    """

    images: int
    unreadable: int
    new: int


def tokenize_corpus(
    source: Any,
    out: Any,
    tokenizer: Tokenizer,
    extractor: Extractor | None = None,
    *,
    layout: Layout | None = None,
    labels: str | None = None,
    column: str | None = None,
    per_file: int = 512,
    seed: int = 0,
    workers: int | None = None,
    address: str | None = None,
    options: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Done:
    """Tokenise all pictures of a source into the files of a corpus, by Ray Data.

    The source is listed once, into a manifest in `out`; each file of the corpus is made from a
    stretch of it. So the rows are the same, bit for bit, for any number of workers and machines;
    and a call that was broken off, however, is completed by the same call: files that are there
    stay, others are made. One call at a time writes to a folder.

    Args:
        source: See `Source`.
        out: Folder of the corpus or URL of one; on many machines, one that all of them see.
        tokenizer: τ, whose settings `repr` tells.
        extractor: φ, where `layout` has vectors.
        layout: What rows hold; `classes` and `settings` are filled in.
        labels: See `Source`.
        column: See `Source`.
        per_file: Pictures of one file.
        seed: What Voronoi cells are drawn by, with the number of a picture in the list.
        workers: Processes; by default one a processor.
        address: Of a Ray cluster (`"auto"` for the one of this machine); without it, Ray is
            started here, for as long as this takes, unless it runs in this process already.
        options: What fsspec is told of the file system of `source`.
        progress: Whether to show a bar on stderr.

    Raises:
        OtherSettingsError: What is in `out` was begun with other settings.
        SourceError, ValueError: There are no pictures, or the tokenizer's settings do not tell
            what it makes.
        OSError: A file cannot be written, or the source cannot be reached.
    """
    check_known(tokenizer)
    workers = None if workers is None else integer(workers, "workers")
    layout = layout or Layout()
    if (extractor is None) != (layout.vectors is None):
        raise ValueError("an extractor and a layout with vectors go together")
    place = Place(out)
    settings = settings_of(source, tokenizer, extractor, layout, labels, column, seed)
    listed = Source(source, labels, column, options)
    manifest = manifest_of(place, listed, integer(per_file, "per_file"), settings)
    writer = ShardWriter(
        manifest,
        layout_of(layout, manifest),
        tokenizer,
        extractor,
        seed,
        column,
        dict(options or {}),
    )
    remove_unfinished(place)
    todo = manifest.missing()
    new = sum(map(manifest.size, todo))
    if todo:
        with ray_of(address, workers):
            show = bar(manifest, new) if progress else nullcontext()
            with show as shown:
                for shard in written(writer, todo, workers):
                    if shown is not None:
                        shown.update(manifest.size(shard))
        remove_unfinished(place)  # of workers that were killed meanwhile
    return Done(manifest.images, gather_unreadable(manifest), new)


def check_known(tokenizer: Tokenizer) -> None:
    """Refuse a tokenizer whose settings do not tell what it makes."""
    if not told_by_settings(tokenizer):
        raise ValueError(
            "expected a SuperpixelTokenizer without features or similarity of its own, a "
            f"PatchTokenizer or a VoronoiTokenizer, got {tokenizer!r}"
        )


def settings_of(
    source: Any,
    tokenizer: Tokenizer,
    extractor: Extractor | None,
    layout: Layout,
    labels: str | None,
    column: str | None,
    seed: int,
) -> dict[str, Any]:
    """All that the rows of a corpus follow from, by name."""
    from spitgraph import __version__

    return {
        "version": __version__,
        "source": Place(source).path,
        "tokenizer": f"{type(tokenizer).__name__}({tokenizer.extra_repr()})",
        "extractor": None if extractor is None else repr(extractor),
        "seed": seed if isinstance(tokenizer, VoronoiTokenizer) else None,
        "labels": labels,
        "column": column,
        "pixels": layout.pixels,
        "vectors": layout.vectors,
        "hierarchy": layout.hierarchy,
        "graph": layout.graph,
    }


def layout_of(layout: Layout, manifest: Manifest) -> Layout:
    """The layout of a corpus, which tells what it is made from."""
    settings = {**layout.settings, **manifest.settings}
    return replace(layout, classes=manifest.classes, settings=settings)


def remove_unfinished(place: Place) -> None:
    """Remove what was being written when a call was killed."""
    if place.is_local:
        for folder in (place, place / "manifest"):
            for name in folder.names():
                if name.startswith(UNFINISHED):
                    shutil.rmtree((folder / name).path, ignore_errors=True)


class Worker:
    """An actor of Ray Data: writes the files of shards."""

    def __init__(self, writer: ShardWriter, folder: str) -> None:
        if os.path.isdir(folder):  # of the driver, which names files from there
            os.chdir(folder)
        torch.set_num_threads(1)  # as many workers as there are processors
        self.writer = writer

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Write the shards that are named; their numbers again, and an error if there was one.

        Ray would wrap an error in others of its own, and log all of them.
        """
        error = b""
        try:
            for shard in batch["item"].tolist():
                self.writer.write(shard)
        except Exception as found:
            error = pickled(found)
        return {"item": batch["item"], "error": [error]}


def pickled(error: Exception) -> bytes:
    """An error for another process; where it cannot be had again, what it says."""
    try:
        content = pickle.dumps(error)
        pickle.loads(content)
        return content
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))


def written(writer: ShardWriter, todo: list[int], workers: int | None) -> Iterator[int]:
    """Shards, as their files come to be there, in whatever order.

    Raises:
        RuntimeError: Ray cannot go on.
        OSError, …: What a worker raised; one that dies is replaced, and its shards done again.
    """
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
    shards = ray.data.from_items(todo, override_num_blocks=min(len(todo), MOST_TASKS))
    done = shards.map_batches(
        Worker,
        fn_constructor_args=(writer, os.getcwd()),
        batch_size=1,
        num_cpus=1,
        concurrency=min(count, len(todo)),
    )
    try:
        for batch in done.iter_batches(batch_size=1, prefetch_batches=0):
            for error in filter(None, batch["error"]):
                raise pickle.loads(error)
            yield from batch["item"].tolist()
    except ray.exceptions.RayError as error:
        raise RuntimeError(f"Ray cannot go on: {str(error).strip().splitlines()[-1]}") from error


def bar(manifest: Manifest, new: int) -> Any:
    """A bar of pictures: how many a second, and how long it takes yet."""
    from tqdm import tqdm

    done = manifest.images - new
    return tqdm(
        total=manifest.images,
        initial=done,
        unit="image",
        dynamic_ncols=True,
        file=sys.stderr,
    )


def gather_unreadable(manifest: Manifest) -> int:
    """Write the side table of pictures that have no row, out of all files; how many there are."""
    with ThreadPoolExecutor(16) as pool:
        shards = map(manifest.part, range(manifest.shards))
        found = [entry for some in pool.map(unreadable_of, shards) for entry in some]
    table = pa.table(
        {"path": [path for path, _ in found], "reason": [reason for _, reason in found]},
        pa.schema([("path", pa.string()), ("reason", pa.string())]),
    )
    with (manifest.place / SIDE_TABLE).written() as unfinished:
        pq.write_table(table, unfinished)
    return len(found)


def unreadable_of(part: Place) -> list[tuple[str, str]]:
    """Path and reason of each picture that a file has no row for."""
    said = opened(part).metadata.metadata.get(UNREADABLE, b"[]")
    return [(path, reason) for path, reason in json.loads(said)]
