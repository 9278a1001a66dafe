"""What PyG keeps in private of a batch and a graph: all that this package knows of it."""

import copy
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor
from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
from torch_geometric.data.storage import GlobalStorage

from spitgraph.attributes import (
    ATTRIBUTES,
    NOT_OF_THE_GRAPH,
    OF_IMAGES,
    OF_TOKENS,
    NotHeldError,
)
from spitgraph.tensors import integers

if TYPE_CHECKING:
    from spitgraph.data import TokenData

#: Attributes that have no entry a node, even where there are as many.
NOT_OF_NODES = NOT_OF_THE_GRAPH | {"ptr"}
#: What a saved graph names of PyG's, for `torch.load(..., weights_only=True)` to take.
SAVED_TYPES = [DataEdgeAttr, DataTensorAttr]


class RegionSizes(Tensor):
    """The region sizes of a `TokenData`, an ordinary int64 tensor [N].

    PyG's own transforms call `data.size()` for the shape of the adjacency matrix; the attribute
    `size` takes that name, so the tensor answers the call.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def __call__(self, dim: int | None = None) -> tuple[int, int] | int:
        """(N, N), or N for one of the two dimensions."""
        return (len(self), len(self)) if dim is None else len(self)

    def __deepcopy__(self, memo: Any) -> Tensor:
        return copy.deepcopy(self.as_subclass(Tensor))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.as_subclass(Tensor).__reduce_ex__(protocol)


class TokenStorage(GlobalStorage):
    """Keeps PyG, which goes by lengths, from taking pixels for edges where there are as many."""

    __module__ = "spitgraph.data"  # by which name saved graphs know it

    def __setitem__(self, key: str, value: Any) -> None:
        plain = value.as_subclass(Tensor) if isinstance(value, RegionSizes) else value
        super().__setitem__(key, plain)

    def is_node_attr(self, key: str) -> bool:
        """Whether an attribute belongs to the tokens."""
        return key not in NOT_OF_NODES and super().is_node_attr(key)

    def is_edge_attr(self, key: str) -> bool:
        """Whether an attribute belongs to the edges."""
        return key not in NOT_OF_THE_GRAPH and super().is_edge_attr(key)


def use_token_storage(tokens: "TokenData") -> None:
    """Let a graph keep its attributes in a `TokenStorage`."""
    held = tokens._store._mapping
    tokens.__dict__["_store"] = TokenStorage(_parent=tokens)
    for name, value in held.items():
        tokens._store[name] = value


def another_empty(tokens: "TokenData") -> "TokenData":
    """A graph like an empty one: to have PyG make it takes as long as some kernels."""
    made: TokenData = object.__new__(type(tokens))
    made.__dict__.update(tokens.__dict__, _store=TokenStorage(_parent=made))
    return made


def fill(tokens: "TokenData", attributes: Mapping[str, Tensor]) -> None:
    """Give a graph attributes that it has not, at once: one by one takes PyG as long as φ."""
    tokens._store._mapping.update(attributes)


def forget_what_is_derived(tokens: "TokenData") -> None:
    """Drop PyG's cache of what belongs to the nodes: `weights_only` refuses its type."""
    for store in tokens.stores:
        store.__dict__.pop("_cached_attr", None)


def numbered(count: int) -> Int64[Tensor, " N"]:
    """0 … N − 1, on the CPU."""
    return torch.from_numpy(np.arange(count))


def filled_batch(
    batch: "TokenData", attributes: Mapping[str, Tensor], counts: Mapping[str, Sequence[int]]
) -> "TokenData":
    """An empty batch, filled: what `Batch.from_data_list` makes of the images' graphs.

    Args:
        batch: As `spitgraph.data.empty_batch` makes it.
        attributes: Tensors that hold all images, one after the other, numbered over the batch.
        counts: For each letter of `spitgraph.attributes.COUNTS`, how many each image has.
    """
    device = attributes["cluster"].device
    num_nodes, num_graphs = counts["N"], len(counts["N"])
    starts = {
        letter: integers([*accumulate(of_images, initial=0)])
        for letter, of_images in counts.items()
    }
    image = torch.from_numpy(np.arange(num_graphs).repeat(num_nodes))
    attributes = {**attributes, "token": numbered(len(image)).to(device)}
    of_nodes = {"batch": image.to(device), "ptr": starts["N"].to(device)}
    fill(batch, {**attributes, **of_nodes})
    first, none = starts["N"][:-1], integers([0] * num_graphs)
    kinds = {name: ATTRIBUTES[name] for name in attributes}
    batch._store.__dict__.update(
        _num_graphs=num_graphs,
        _slice_dict={name: starts[kind.counts] for name, kind in kinds.items()},
        _inc_dict={name: first if kind.numbers else none for name, kind in kinds.items()},
    )
    return batch


def is_batched(tokens: "TokenData") -> bool:
    """Whether these are the tokens of a batch, even if of one image."""
    return "ptr" in tokens or "batch" in tokens


def image_offsets(tokens: "TokenData", num_nodes: int, device: torch.device) -> Tensor:
    """First node of each image, and the number of nodes, [B + 1] int64.

    They follow from `batch`, which PyG keeps with the nodes: `ptr` stays as it was when nodes are
    dropped, and is not there in a batch of batches.

    Args:
        tokens: One image or a batch.
        num_nodes: N.
        device: Where they are.

    Raises:
        NotHeldError: `batch`, `ptr` and `image_size` are not of the same images, or the nodes of an
            image do not follow one another.
    """
    held = tokens._store
    batch, ptr = held.get("batch"), held.get("ptr")
    num_images = len(held["image_size"]) if "image_size" in held else None
    if batch is None and ptr is None:
        offsets = torch.tensor([0, num_nodes], device=device)
    elif batch is None:
        offsets = ptr
        if int(ptr[0]) != 0 or int(ptr[-1]) != num_nodes or bool((ptr.diff() < 0).any()):
            raise NotHeldError(f"ptr must go from 0 to {num_nodes}, got {ptr.tolist()}")
    else:
        count = len(ptr) - 1 if ptr is not None else num_images
        offsets = _offsets(batch, num_nodes, count)
    if num_images not in (None, len(offsets) - 1):
        raise NotHeldError(
            f"these are tokens of {num_images} images (image_size), but of {len(offsets) - 1} by "
            "batch and ptr: put images together by Batch.from_data_list"
        )
    return offsets


def _offsets(batch: Tensor, num_nodes: int, num_images: int | None) -> Tensor:
    """Where the nodes of each image begin, and the last ones end, if `batch` is in order."""
    if len(batch) != num_nodes:
        raise NotHeldError(
            f"batch must have an entry for each of {num_nodes} nodes, got {len(batch)}"
        )
    if num_images is None:
        num_images = int(batch.max()) + 1 if num_nodes else 0
    images = torch.arange(num_images + 1, device=batch.device)
    offsets = torch.searchsorted(batch.contiguous(), images)
    in_order = (batch.diff() >= 0).all() & (offsets[0] == 0) & (offsets[-1] == num_nodes)
    if not in_order:
        raise NotHeldError(
            f"batch must be of images 0 … {num_images - 1}, in ascending order: the nodes of an "
            "image have to follow one another"
        )
    return offsets


def check_slices(batch: "TokenData") -> None:
    """Refuse to take images out of a batch whose nodes are no longer those that it was made of.

    PyG remembers where each image lies, and does not notice that nodes were dropped or moved.

    Raises:
        ValueError: They are not.
    """
    held = batch._store
    slices = held.__dict__.get("_slice_dict", {})
    of_nodes = [name for name in OF_TOKENS if name in held and name in slices]
    as_they_were = all(len(held[name]) == int(slices[name][-1]) for name in of_nodes)
    if as_they_were and "ptr" in held and "batch" in held:
        image, ptr = held["batch"], held["ptr"]
        as_they_were = torch.equal(image_offsets(batch, len(image), image.device), ptr)
    if not as_they_were:
        raise ValueError(
            "this batch cannot be indexed: some of its nodes were dropped or moved since it was "
            "put together; index it first"
        )


def set_node_attribute(tokens: "TokenData", name: str, value: Tensor) -> None:
    """Set an attribute of the nodes, in a batch one that images keep."""
    _set_like(tokens, name, value, OF_TOKENS)


def set_image_attribute(tokens: "TokenData", name: str, value: Tensor) -> None:
    """Set an attribute of which each image has one entry, in a batch one that images keep."""
    _set_like(tokens, name, value, OF_IMAGES)


def _set_like(tokens: "TokenData", name: str, value: Tensor, others: Sequence[str]) -> None:
    """Set an attribute that lies in a batch as the first of some others that is there."""
    tokens[name] = value
    private = tokens._store.__dict__
    slices = private.get("_slice_dict", {})
    like = next((other for other in others if other != name and other in slices), None)
    if like is not None:
        starts = slices[like][:-1]
        numbers = name in ATTRIBUTES and ATTRIBUTES[name].numbers
        private["_slice_dict"] = {**slices, name: slices[like]}
        private["_inc_dict"] = {
            **private["_inc_dict"],
            name: starts if numbers else torch.zeros_like(starts),
        }


def with_node_attribute(tokens: "TokenData", name: str, value: Tensor) -> "TokenData":
    """A shallow copy with an attribute of the nodes set, in a batch one that images keep."""
    tokens = copy.copy(tokens)
    set_node_attribute(tokens, name, value)
    return tokens


def without_attribute(tokens: "TokenData", name: str) -> "TokenData":
    """A shallow copy that does not hold an attribute."""
    tokens = copy.copy(tokens)
    del tokens[name]
    private = tokens._store.__dict__
    for key in {"_slice_dict", "_inc_dict"} & private.keys():
        private[key] = {other: kept for other, kept in private[key].items() if other != name}
    return tokens
