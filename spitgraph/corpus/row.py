"""A token graph as a row of a table, and back, bit for bit.

What follows exactly from the map of regions is not kept but measured again (`describe_regions`):
that takes a fraction of the time in which the map is read.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch

from spitgraph.attributes import ATTRIBUTES
from spitgraph.corpus.maps.code import levels_of_bytes, levels_to_bytes
from spitgraph.corpus.pictures import holds_pixels, image_of_bytes, key_of, pixels_to_bytes
from spitgraph.corpus.schema import Layout
from spitgraph.data import TokenData, tokens_from_hierarchy
from spitgraph.hierarchy import Hierarchy

Row = dict[str, Any]
#: What is measured again.
MEASURED = ("size", "bbox", "pos", "edge_index", "edge_attr")
#: What a row has a place for.
PLACED = {*ATTRIBUTES, "y"}
#: Key of what else safetensors are told.
ABOUT = "about"


def row_of(
    tokens: TokenData,
    layout: Layout,
    *,
    path: str = "",
    key: str | None = None,
    label: int | None = None,
    file: bytes | None = None,
    is_fresh: bool = False,
) -> Row:
    """The row of one image's token graph.

    Args:
        tokens: Of one image; its nodes are the tokens of its pixel map.
        layout: What rows hold.
        path: Of the image.
        key: What it is known by; by default a hash of `file`, of the pixels, or of the map.
        label: Of the image; by default what `y` holds, if that is one whole number.
        file: The bytes of the image's file, which are kept in place of the pixels.
        is_fresh: Whether the graph comes from a tokenizer, and the file is what that was given; it
            is checked otherwise.

    Raises:
        ValueError: It is a batch, or holds what no row can: the attribute is named.
    """
    tokens = single(tokens)
    height, width = tokens.image_size[0].tolist()
    tree = tokens.tree
    counts = tree.image_counts[0]
    parents = [parent.cpu().numpy() for parent in tree.parents]
    if not layout.hierarchy:
        counts, parents = [counts[0], counts[-1]], [tree.cluster.cpu().numpy()]
    levels = levels_to_bytes(parents, counts, width)
    pixels = None
    if layout.pixels:
        pixels = picture(tokens, height, width, file, is_fresh)
    row: Row = {
        "path": printable(path),
        "key": key or key_of(file or pixels or content_of(tokens, levels)),
        "height": height,
        "width": width,
        "num_tokens": counts[-1],
        "num_edges": tokens.num_edges,
        "label": label,
        "label_name": None,
        "levels": levels,
    }
    row["label"], keeps_y = labelled(tokens, label)
    if row["label"] is not None and layout.classes:
        row["label_name"] = layout.classes[row["label"]]
    if not layout.pixels or layout.graph:
        row["color"] = flat(tokens.color) if "color" in tokens else None
    if layout.pixels:
        row["pixels"] = pixels
    if layout.vectors:
        held = tokens.x
        row["x"] = None if held is None else vectors_to_bytes(held, layout.vectors)
    if layout.graph:
        row |= graph_columns(tokens)
    row["more"] = None if is_fresh and keeps_y else more_of(tokens, row, layout, keeps_y)
    return row


def tokens_of(row: Mapping[str, Any], layout: Layout) -> TokenData:
    """The token graph that a row holds.

    Args:
        row: The values of `Layout.schema`'s columns; numbers of lists as arrays.
        layout: Of its file.

    Raises:
        DamagedLevelsError: The map of regions is damaged.
    """
    height, width = row["height"], row["width"]
    levels = levels_of_bytes(row["levels"])
    if levels.counts[0] != height * width:
        raise ValueError(f"{row['path']}: {levels.counts[0]} pixels are not {height}×{width}")
    content = row.get("pixels")
    image = blank(height, width) if content is None else image_of_bytes(content, row["path"])
    parents = [torch.from_numpy(parent) for parent in levels.parents]
    tree = Hierarchy.from_parents([parents], [levels.counts], torch.from_numpy(levels.cluster))
    tokens = tokens_from_hierarchy([image], tree, is_batch=False)
    if content is None:
        del tokens["pixels"]
        color = row.get("color")
        if color is None:
            del tokens["color"]
        else:
            tokens.color = torch.tensor(np.asarray(color, np.float32)).view(-1, 3)
    if row.get("x") is not None:
        tokens.x = vectors_of_bytes(row["x"], layout.vectors or "float32", levels.counts[-1])
    if row["label"] is not None:
        tokens.y = torch.tensor([row["label"]])
    if row.get("more") is not None:
        add_more(tokens, row["more"])
    return tokens


def single(tokens: Any) -> TokenData:
    """The graph of one image, if it is that."""
    if not isinstance(tokens, TokenData):
        raise TypeError(f"expected the TokenData of an image, got {type(tokens).__name__}")
    if isinstance(tokens, Batch):
        raise ValueError("a row is of one image, got a batch: write its to_data_list()")
    return tokens


def printable(path: str) -> str:
    """A path as text; bytes that are none are escaped."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def picture(
    tokens: TokenData, height: int, width: int, file: bytes | None, is_fresh: bool
) -> bytes | None:
    """The file's own bytes if they are the picture; else another file that holds it exactly."""
    if file is not None and is_fresh:
        return file
    if "pixels" not in tokens:
        return None
    if file is not None:
        if not holds_pixels(file, tokens.pixels):
            raise ValueError("the file's bytes do not decode to the pixels of these tokens")
        return file
    return pixels_to_bytes(tokens.pixels, height, width)


def content_of(tokens: TokenData, levels: bytes) -> bytes:
    """What tells an image from others, without its file."""
    return tokens.pixels.cpu().numpy().tobytes() if "pixels" in tokens else levels


def labelled(tokens: TokenData, label: int | None) -> tuple[int | None, bool]:
    """The label of an image, and whether that is all that `y` says."""
    y = tokens.get("y")
    if y is None:
        return label, True
    is_label = isinstance(y, Tensor) and y.shape == (1,) and y.dtype == torch.int64
    if label is None and is_label:
        label = int(y)
    return label, is_label and label == int(y)


def flat(values: Tensor, kind: type = np.float32) -> np.ndarray:
    """Numbers one after the other."""
    return values.detach().cpu().numpy().astype(kind).ravel()


def graph_columns(tokens: TokenData) -> Row:
    """The region graph as lists of numbers, each pair of regions once."""
    source, target = tokens.edge_index
    once = source < target
    return {
        "size": flat(tokens.size, np.int32),
        "pos": flat(tokens.pos),
        "bbox": flat(tokens.bbox, np.int32),
        "edge_source": flat(source[once], np.int32),
        "edge_target": flat(target[once], np.int32),
        "edge_length": flat(tokens.edge_attr[once], np.int32),
    }


def vectors_to_bytes(x: Tensor, kind: str) -> bytes:
    """Token vectors [N, D], number by number, little-endian."""
    return x.detach().cpu().numpy().astype(np.dtype(kind).newbyteorder("<")).tobytes()


def vectors_of_bytes(content: bytes, kind: str, num_tokens: int) -> Tensor:
    """[N, D] float32 again."""
    numbers = np.frombuffer(content, np.dtype(kind).newbyteorder("<")).astype(np.float32)
    return torch.from_numpy(numbers).view(num_tokens, -1)


@lru_cache(maxsize=8)
def blank(height: int, width: int) -> Tensor:
    """A black picture, in place of one that was not kept; it is only read."""
    return torch.zeros(3, height, width, dtype=torch.uint8)


def more_of(tokens: TokenData, row: Row, layout: Layout, keeps_y: bool) -> bytes | None:
    """What the row's columns do not tell of a graph, as safetensors; None if there is nothing."""
    from safetensors.numpy import save

    known = tokens_of({**row, "more": None}, layout)
    lossy = set() if layout.pixels else {"pixels"}
    lossy |= {"y"} if keeps_y else set()  # then the label tells it
    if layout.vectors is None or layout.vectors == "float16":
        lossy.add("x")
    if not layout.hierarchy:
        lossy |= {"hierarchy", "level_sizes", "num_levels"}
    held = tokens.to_dict()
    tensors: dict[str, np.ndarray] = {}
    values: dict[str, Any] = {}
    for name, value in held.items():
        if name in lossy or value is None:
            continue
        if isinstance(value, Tensor):
            same = known.get(name)
            if not (isinstance(same, Tensor) and identical(same, value.detach().cpu())):
                tensors[name] = np.ascontiguousarray(value.detach().cpu().numpy())
        elif name != "num_nodes" and is_plain(value):
            values[name] = value
        elif name != "num_nodes":
            raise ValueError(f"a row cannot keep {name}, a {type(value).__name__}")
    missing = [name for name in known.to_dict() if name not in held and name not in lossy]
    if not (tensors or values or missing):
        return None
    return save(tensors, {ABOUT: json.dumps({"values": values, "missing": missing})})


def identical(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are the same bits of the same type."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return torch.equal(one, other) or one.numpy().tobytes() == other.numpy().tobytes()


def is_plain(value: Any) -> bool:
    """Whether JSON gives back what it was given."""
    try:
        return json.loads(json.dumps(value)) == value
    except (TypeError, ValueError):
        return False


def add_more(tokens: TokenData, content: bytes) -> None:
    """Add what columns do not tell."""
    from safetensors.numpy import load

    length = int.from_bytes(content[:8], "little")
    about = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][ABOUT])
    for name, array in load(content).items():
        tokens[name] = torch.from_numpy(array)
    for name, value in about["values"].items():
        tokens[name] = value
    for name in about["missing"]:
        del tokens[name]
