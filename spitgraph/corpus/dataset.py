"""A tokenised corpus as a PyG data set, from disk or an object store."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, SupportsIndex

import numpy as np
import torch
from torch_geometric.data import Dataset, InMemoryDataset

from spitgraph.checks import instance, integer
from spitgraph.corpus.places import Place
from spitgraph.corpus.row import tokens_of
from spitgraph.corpus.schema import PLAIN, Layout
from spitgraph.corpus.table import PartTable, parts_of
from spitgraph.data import TokenData

#: What is read to make a graph again; other columns are for other readers.
READ = ("path", "height", "width", "label", "levels", "color", "pixels", "x", "more")
#: Columns that tell of an image without its graph.
TOLD = tuple(field.name for field in PLAIN)


class TokenDataset(Dataset):
    """A corpus of token graphs: `TokenData` by index, none of them loaded before.

    What `TokenWriter` and `spitgraph tokenize-corpus` wrote comes back bit for bit. It is a PyG
    `Dataset`: slices, lists and masks of indices give parts of it, and loaders take it, with as
    many workers as they like, forked or spawned: every process opens files for itself. Keys
    (epoch, index), as samplers of `spitgraph.train` draw them, are taken from a loader too.

    Args:
        path: Folder of a corpus, one of its files, or a URL that fsspec knows (`s3://…`).
        transform: Called with every `TokenData` that is asked for.
        cached_groups: Row groups (of about a quarter of a megabyte) that a process keeps.
        options: What fsspec is told of the file system.

    Raises:
        FileNotFoundError: There is no corpus.
        ValueError: A file is no Parquet file, or not of this package.
    """

    def __init__(
        self,
        path: Any,
        transform: Callable[[TokenData], Any] | None = None,
        *,
        cached_groups: int = 32,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(transform=transform)
        place = Place(path, options)
        groups = integer(cached_groups, "cached_groups")
        self.path = place.path
        self.rows = PartTable(parts_of(place), READ, groups)

    def len(self) -> int:
        """Rows, whatever part of them this is."""
        return len(self.rows)

    def get(self, idx: SupportsIndex) -> TokenData:
        """The token graph of a row, whatever part of the rows this is."""
        row, layout = self.rows.row(int(idx))
        return tokens_of(row, layout)

    def __getitems__(self, keys: Sequence[Any]) -> list[Any]:
        """What a loader fetches at once: by index, or by (epoch, index)."""
        indices = [key[1] if isinstance(key, tuple) else key for key in keys]
        found: dict[int, Any] = {}
        for place in sorted(range(len(keys)), key=lambda place: self.indices()[indices[place]]):
            found[place] = self[int(indices[place])]  # row groups one after the other
        return [found[place] for place in range(len(keys))]

    @property
    def layout(self) -> Layout:
        """What rows hold, and what made them."""
        return self.rows.layouts[0]

    @property
    def num_tokens(self) -> np.ndarray:
        """[n] int64, tokens of each: what `TokenBudgetSampler` takes; no graph is read for it."""
        return self.column("num_tokens")

    @property
    def labels(self) -> np.ndarray:
        """[n] int64, label of each, −1 where there is none."""
        return self.column("label")

    @property
    def num_classes(self) -> int:
        """How many labels there are: those that have a name, or that occur."""
        if self.layout.classes:
            return len(self.layout.classes)
        return int(self.rows.column("label").fill_null(-1).to_numpy().max(initial=-1)) + 1

    def column(self, name: str) -> np.ndarray:
        """What the rows say of each image: whole numbers (−1 for none) as int64, or strings.

        Args:
            name: `"path"`, `"key"`, `"height"`, `"width"`, `"num_tokens"`, `"num_edges"`,
                `"label"` or `"label_name"`.

        Raises:
            ValueError: There is no such column.
        """
        if name not in TOLD:
            raise ValueError(f"name must be one of {', '.join(map(repr, TOLD))}, got {name!r}")
        held = self.rows.column(name)
        if name in ("path", "key", "label_name"):
            values = np.array(held.to_pylist(), dtype=object)
        else:
            values = held.fill_null(-1).to_numpy().astype(np.int64)
        return values if self._indices is None else values[np.asarray(self._indices, np.int64)]

    def with_label(self, *labels: int | str) -> "TokenDataset":
        """The part of it whose images have one of these labels.

        Args:
            labels: Numbers, or names of classes.

        Raises:
            ValueError: There is no class of a name.
        """
        classes = list(self.layout.classes)
        for label in labels:
            if isinstance(label, str) and label not in classes:
                raise ValueError(f"there is no class {label!r}; there are {classes}")
        numbers = [classes.index(one) if isinstance(one, str) else int(one) for one in labels]
        return self._part(np.flatnonzero(np.isin(self.labels, numbers)))

    def shuffled(self, generator: torch.Generator, together: int = 16) -> "TokenDataset":
        """The same rows in an order drawn at random, near one another where they lie so.

        Row groups come in random order; so many of them at a time, and their rows in random order.
        Each is read once then, if `together` of them are kept. Groups hold a dozen images;
        those that lie together in a corpus (a class, a film) are mixed the better, the more groups
        come together.

        Args:
            generator: What draws.
            together: Row groups.
        """
        instance(generator, torch.Generator, "generator", "a torch.Generator")
        together = integer(together, "together")
        rows = np.asarray(self.indices(), np.int64)
        group = np.searchsorted(self.rows.starts, rows, side="right") - 1
        there = np.unique(group)
        turn = np.empty(len(self.rows.groups), np.int64)
        turn[there] = torch.randperm(len(there), generator=generator).numpy()
        chance = torch.rand(len(rows), dtype=torch.float64, generator=generator).numpy()
        part = self._part(np.lexsort([chance, turn[group] // together]))
        part.rows = self.rows.keeping(max(together, self.rows.cached_groups))
        return part

    def in_memory(self) -> InMemoryDataset:
        """All of it at once, as the `InMemoryDataset` of PyG that others expect."""
        return InMemoryTokens(self)

    def _part(self, places: np.ndarray) -> "TokenDataset":
        part = self.index_select([])
        part._indices = np.asarray(self.indices(), np.int64)[places]
        return part

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)}, path={self.path!r})"


class InMemoryTokens(InMemoryDataset):
    """Token graphs that are all in memory."""

    def __init__(self, graphs: Iterable[Any]) -> None:
        super().__init__()
        held = list(graphs)
        if not held:
            raise ValueError("expected at least one token graph, got an empty data set")
        self.data, self.slices = self.collate(held)
