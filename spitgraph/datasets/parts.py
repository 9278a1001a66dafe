"""Graphs made picture by picture, in parts that are kept: what was interrupted goes on."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import InMemoryDataset
from tqdm import tqdm

from spitgraph.batching import set_image_attribute
from spitgraph.beside import written_beside
from spitgraph.data import TokenData
from spitgraph.datasets.samples import Samples
from spitgraph.images import UnreadableImageError

_log = logging.getLogger("spitgraph")
#: Pictures a part.
AT_A_TIME = 256
#: Makes a picture's graph, None for one that is left out.
Make = Callable[[int], TokenData | None]


def make_parts(samples: Samples, make: Make, folder: Path, *, progress: bool) -> None:
    """Write the parts that are not there yet.

    Each is a list of graphs, and of pictures that cannot be read; it is written beside its place
    and then renamed, so that what is there is whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(samples), AT_A_TIME)
    for start in tqdm(starts, "graphs", unit=f"×{AT_A_TIME}", disable=not progress):
        if place_of(folder, start).exists():
            continue
        graphs, unreadable = [], []
        for index in range(start, min(start + AT_A_TIME, len(samples))):
            try:
                graph = make(index)
            except UnreadableImageError as error:
                unreadable.append([samples.name(index), " ".join(str(error).split())])
                continue
            if graph is not None:
                set_image_attribute(graph, "picture", torch.tensor([index]))
                graphs.append(graph)
        with written_beside(place_of(folder, start)) as unfinished:
            torch.save((graphs, unreadable), unfinished)


def place_of(folder: Path, start: int) -> Path:
    """The file of a part, by its first picture."""
    return folder / f"{start:09d}.pt"


def read_parts(samples: Samples, folder: Path) -> Iterator[tuple[list[TokenData], list[Any]]]:
    """All parts, in order."""
    for start in range(0, len(samples), AT_A_TIME):
        yield torch.load(place_of(folder, start), weights_only=False)  # our own, just written


def join_parts(samples: Samples, parts: Path, place: Path, about: dict[str, Any]) -> None:
    """Write one file of all graphs, what is about them, and let the parts go.

    Raises:
        ValueError: There are no graphs.
    """
    graphs: list[TokenData] = []
    unreadable: list[Any] = []
    for some, failed in read_parts(samples, parts):
        graphs += some
        unreadable += failed
    if not graphs:
        why = f": {unreadable[0][1]}" if unreadable else ", none passed pre_filter"
        raise ValueError(f"there are no graphs of {len(samples)} pictures{why}")
    if unreadable:
        _log.warning("%d pictures were left out, such as %s", len(unreadable), unreadable[0][1])
    data, slices = InMemoryDataset.collate(graphs)
    text = json.dumps({**about, "unreadable": unreadable}, ensure_ascii=False, indent=1)
    with written_beside(place.with_suffix(".json")) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    with written_beside(place) as unfinished:
        torch.save((data.to_dict(), slices, TokenData), unfinished)
    for start in range(0, len(samples), AT_A_TIME):
        place_of(parts, start).unlink(missing_ok=True)
    if not os.listdir(parts):
        parts.rmdir()


def digest(samples: Samples, settings: str) -> str:
    """What changes when the settings do, or a picture, or its label."""
    found = hashlib.blake2b(settings.encode(), digest_size=8)
    for index in range(len(samples)):
        found.update(samples.name(index).encode(errors="surrogateescape"))
        found.update(samples.stamp(index))
    return found.hexdigest()
