"""What PyG keeps in private of a batch and a graph: all that this package knows of it."""

import copy
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
from torch_geometric.data.storage import GlobalStorage

from spitgraph.attributes import ATTRIBUTES, NOT_OF_THE_GRAPH

if TYPE_CHECKING:
    from spitgraph.data import TokenData

#: What a saved graph names of PyG's, for `torch.load(..., weights_only=True)` to take.
SAVED_TYPES = [DataEdgeAttr, DataTensorAttr]


class TokenStorage(GlobalStorage):
    """Keeps PyG, which goes by lengths, from taking pixels for edges where there are as many."""

    __module__ = "spitgraph.data"  # by which name saved graphs know it

    def is_node_attr(self, key: str) -> bool:
        """Whether an attribute belongs to the tokens."""
        return key not in NOT_OF_THE_GRAPH and super().is_node_attr(key)

    def is_edge_attr(self, key: str) -> bool:
        """Whether an attribute belongs to the edges."""
        return key not in NOT_OF_THE_GRAPH and super().is_edge_attr(key)


def use_token_storage(tokens: "TokenData") -> None:
    """Let a graph keep its attributes in a `TokenStorage`."""
    tokens.__dict__["_store"] = TokenStorage(tokens._store.to_dict(), _parent=tokens)


def forget_what_is_derived(tokens: "TokenData") -> None:
    """Drop PyG's cache of what belongs to the nodes: `weights_only` refuses its type."""
    for store in tokens.stores:
        store.__dict__.pop("_cached_attr", None)


def filled_batch(
    batch: "TokenData", attributes: Mapping[str, Tensor], counts: Mapping[str, Sequence[int]]
) -> "TokenData":
    """An empty batch, filled: what `Batch.from_data_list` makes of the images' graphs.

    Args:
        batch: As `spitgraph.data.empty_batch` makes it.
        attributes: Tensors that hold all images, one after the other, numbered over the batch.
        counts: For each letter of `spitgraph.attributes.COUNTS`, how many each image has.
    """
    for name, value in attributes.items():
        batch[name] = value
    device = attributes["cluster"].device
    num_nodes = counts["N"]
    starts = {
        letter: torch.tensor(list(accumulate(of_images, initial=0)), device="cpu")
        for letter, of_images in counts.items()
    }
    batch.batch = torch.from_numpy(np.arange(len(num_nodes)).repeat(num_nodes)).to(device)
    batch.ptr = starts["N"].to(device)
    batch._num_graphs = len(num_nodes)
    none = torch.zeros(len(num_nodes), dtype=torch.int64, device="cpu")
    kinds = {name: ATTRIBUTES[name] for name in attributes}
    batch._slice_dict = {name: starts[kind.counts] for name, kind in kinds.items()}
    batch._inc_dict = {
        name: starts["N"][:-1] if kind.numbers else none for name, kind in kinds.items()
    }
    return batch


def is_batched(tokens: "TokenData") -> bool:
    """Whether these are the tokens of a batch, even if of one image."""
    return "ptr" in tokens


def num_tokens(tokens: "TokenData") -> list[int]:
    """Tokens of each image."""
    return tokens.ptr.diff().tolist() if is_batched(tokens) else [tokens.num_nodes]


def with_node_attribute(tokens: "TokenData", name: str, value: Tensor) -> "TokenData":
    """A shallow copy with an attribute of the nodes set, in a batch one that images keep."""
    tokens = copy.copy(tokens)
    tokens[name] = value
    if is_batched(tokens):
        none = torch.zeros(tokens.num_graphs, dtype=torch.int64, device="cpu")
        tokens._slice_dict = {**tokens._slice_dict, name: tokens.ptr.cpu()}
        tokens._inc_dict = {**tokens._inc_dict, name: none}
    return tokens


def without_attribute(tokens: "TokenData", name: str) -> "TokenData":
    """A shallow copy that does not hold an attribute."""
    tokens = copy.copy(tokens)
    del tokens[name]
    if is_batched(tokens):
        for private in ("_slice_dict", "_inc_dict"):
            kept: dict[str, Any] = {k: v for k, v in getattr(tokens, private).items() if k != name}
            setattr(tokens, private, kept)
    return tokens
