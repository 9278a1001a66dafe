"""What an actor does: read, decode and tokenise the pictures of a shard, and write its file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spitgraph.corpus.manifest import Manifest
from spitgraph.corpus.pictures import image_of_bytes
from spitgraph.corpus.row import Row, printable, row_of
from spitgraph.corpus.schema import Layout
from spitgraph.corpus.sources import Entry, fetch
from spitgraph.corpus.writer import write_part
from spitgraph.data import TokenData
from spitgraph.decoding import cause
from spitgraph.extractors import Extractor
from spitgraph.tokenizers.base import Tokenizer
from spitgraph.train.data.tokens import seeded

#: What tells that a picture's file is not to be had, now or later; other errors may pass.
NOT_TO_BE_HAD = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


@dataclass
class ShardWriter:
    """Writes files of a corpus; what is in them follows from the manifest and these settings.

    Args:
        manifest: What the corpus is made from.
        layout: What rows hold.
        tokenizer: τ.
        extractor: φ, if rows hold vectors.
        seed: What a tokenizer that draws at random draws by, with the number of a picture.
        column: See `Source`.
        options: What fsspec is told of the source's file system.
    """

    manifest: Manifest
    layout: Layout
    tokenizer: Tokenizer
    extractor: Extractor | None = None
    seed: int = 0
    column: str | None = None
    options: dict[str, Any] | None = None

    def write(self, shard: int) -> tuple[int, int]:
        """Write a shard's file; how many rows it has, and how many pictures could not be read.

        Raises:
            OSError: It cannot be written, or the source cannot be reached.
        """
        part = self.manifest.part(shard)
        unreadable: list[tuple[str, str]] = []
        rows = self._rows(shard, unreadable)
        count = write_part(part, self.layout, rows, lambda: unreadable)
        return count, len(unreadable)

    def _rows(self, shard: int, unreadable: list[tuple[str, str]]) -> Iterator[Row]:
        first = shard * self.manifest.per_shard
        for place, entry in enumerate(self.manifest.entries(shard)):
            try:
                content = fetch(entry, self.column, self.options)
                tokens = self._graph(image_of_bytes(content, entry.name), self.seed + first + place)
            except (ValueError, *NOT_TO_BE_HAD) as error:  # an UnreadableImageError is both
                unreadable.append((printable(entry.name), printable(why(error, entry))))
                continue
            yield row_of(
                tokens,
                self.layout,
                path=entry.name,
                label=self.manifest.label(entry),
                file=content,
                is_fresh=True,
            )

    def _graph(self, image: Tensor, seed: int) -> TokenData:
        tokens = seeded(self.tokenizer, torch.tensor([seed]))(image)
        if self.extractor is None:
            return tokens
        with torch.no_grad():
            return self.extractor(tokens)


def why(error: Exception, entry: Entry) -> str:
    """Why a picture has no row, without its path."""
    said = " ".join(cause(error).split())
    return said.removeprefix(f"cannot read '{entry.name}': ")
