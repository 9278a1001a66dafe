"""Token graphs of many pictures, as Parquet files that other readers open too.

`TokenWriter` writes rows, `TokenDataset` reads them. A row is described in `schema`, made and read
in `row`; `tokenize_corpus` makes the rows of whole corpora on many machines.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spitgraph.corpus.dataset import TokenDataset
    from spitgraph.corpus.schema import Layout
    from spitgraph.corpus.writer import TokenWriter

__all__ = ["Layout", "TokenDataset", "TokenWriter"]

_MODULES = {"Layout": "schema", "TokenDataset": "dataset", "TokenWriter": "writer"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"spitgraph.corpus.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'spitgraph.corpus' has no attribute {name!r}")
