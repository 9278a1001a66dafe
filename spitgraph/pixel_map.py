"""Whether the nodes of a graph are still the tokens of its pixel map.

PyG drops, repeats and reorders nodes, and knows nothing of `cluster` and `hierarchy`, which name
tokens by their numbers. What has an entry a node goes with the nodes, and so do their numbers,
`token`.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from spitgraph.attributes import ATTRIBUTES, OF_TOKENS, NotHeldError
from spitgraph.batching import image_offsets, set_node_attribute

if TYPE_CHECKING:
    from spitgraph.data import TokenData

#: What names tokens by their numbers.
PIXEL_MAP = frozenset({"cluster", "hierarchy"})


def stored(tokens: "TokenData", name: str) -> Any:
    """An attribute as it stands, whatever became of the nodes.

    Raises:
        NotHeldError: There is none.
    """
    value = tokens._store.get(name)
    if value is None:
        raise NotHeldError(f"the tokens have no {name} ({ATTRIBUTES[name].meaning})")
    return value


def stored_sizes(tokens: "TokenData") -> Tensor:
    """[N] int64, pixels of each token, as a plain tensor; of a list, on the CPU."""
    size = stored(tokens, "size")
    return size if isinstance(size, Tensor) else torch.tensor(size, device="cpu")


def number_tokens(tokens: "TokenData") -> None:
    """Number the nodes of a graph that has a pixel map, if they are not yet."""
    held = tokens._store
    if "cluster" not in held or "token" in held:
        return
    count = next((len(held[name]) for name in OF_TOKENS if name in held), None)
    if count is not None:
        set_node_attribute(tokens, "token", torch.arange(count, device=held["cluster"].device))


def map_counts(tokens: "TokenData", name: str = "cluster") -> list[int]:
    """Tokens of each image, of a graph whose nodes are those of its pixel map.

    Waits for the device once.

    Args:
        tokens: One image or a batch.
        name: What is asked for, to be named by errors.

    Raises:
        NotHeldError: There is no pixel map, or PyG or the user changed the nodes since.
    """
    cluster, held = stored(tokens, "cluster"), tokens._store
    if not isinstance(cluster, Tensor):
        raise NotHeldError(f"cluster must be an int64 tensor [H·W], got {type(cluster).__name__}")
    lengths = {key: len(held[key]) for key in (*OF_TOKENS, "batch") if key in held}
    if "num_nodes" in held:
        lengths["num_nodes"] = held["num_nodes"]
    if len(set(lengths.values())) != 1:
        told = ", ".join(f"{key} {length}" for key, length in lengths.items())
        raise NotHeldError(_no_longer(name, f"entries are {told or 'none'}"))
    (count,) = set(lengths.values())
    offsets = held["ptr"] if "ptr" in held else image_offsets(tokens, count, cluster.device)
    if "size" in held or len(offsets) > 2:
        size = stored_sizes(tokens).to(cluster.device)
        complete = size.sum() == len(cluster)  # they cover every pixel
    else:
        complete = cluster.max() < count  # of one image, the map knows no others
    facts = (offsets.diff(), _in_order(held.get("token"), cluster, count), complete)
    if cluster.device.type == "cpu":
        counts, in_order, are_all = (fact.tolist() for fact in facts)
    else:  # wait once
        *counts, in_order, are_all = torch.cat([fact.view(-1).long() for fact in facts]).tolist()
    if not in_order:
        raise NotHeldError(_no_longer(name, "some were dropped, repeated or put in another order"))
    if not are_all:
        raise NotHeldError(_no_longer(name, f"these {count} are not all of its tokens"))
    return counts


def _in_order(token: Tensor | None, cluster: Tensor, count: int) -> Tensor:
    """Whether tokens have the numbers 0 … N − 1; unknown ones are taken to."""
    if token is None:
        return cluster.new_ones(())
    return (token == torch.arange(count, device=cluster.device)).all()


def _no_longer(name: str, why: str) -> str:
    what = "the pixel map (cluster)" if name == "cluster" else f"the pixel map (cluster, {name})"
    return f"{what} no longer belongs to these nodes: {why}"
