"""Where contraction begins, by what the caller gives: a partition, and pairs that are linked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from spitgraph.contraction.select import number_by_first
from spitgraph.contraction.start import Start
from spitgraph.tensors import ordered_labels
from spitgraph.tokenizers.partition import label_maps

_PAIRS = "labels [k, 2] of the partition, or pixels [k, 2, 2] as (x, y)"


def starts(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    partition: Any,
    must_link: Any,
    cannot_link: Any,
    *,
    is_batch: bool,
    num_tokens: int | None,
) -> list[Start]:
    """Where the contraction of each image begins.

    Regions are numbered by their first pixels, so that what the caller calls them does not matter.

    Raises:
        ValueError, TypeError: Partition or pairs do not fit; see `SuperpixelTokenizer`.
    """
    maps: Sequence[Any] = [None] * len(images)
    clusters: Sequence[Any] = maps
    if partition is not None:
        clusters, _ = label_maps(images, partition, is_batch)
        maps = list(partition) if is_batch else [partition]
    must = per_image(must_link, len(images), "must_link", is_batch)
    cannot = per_image(cannot_link, len(images), "cannot_link", is_batch)
    found = []
    for index, image in enumerate(images):
        of = f" of image {index}" if is_batch else ""
        size = (image.shape[1], image.shape[2])
        together, apart = (
            pixel_pairs(pairs, maps[index], size, name + of)
            for pairs, name in ((must[index], "must_link"), (cannot[index], "cannot_link"))
        )
        start = image_start(size, clusters[index], together, apart, of, image.device)
        check_clique(start, num_tokens, of)
        found.append(start)
    return found


def per_image(pairs: Any, count: int, name: str, is_batch: bool) -> list[Any]:
    """Of each image what pairs it has, None for none."""
    if pairs is None:
        return [None] * count
    if not is_batch:
        return [pairs]
    if not isinstance(pairs, list | tuple) or len(pairs) != count:
        came = f"{len(pairs)}" if isinstance(pairs, list | tuple) else f"{type(pairs).__name__}"
        raise ValueError(f"{name} of a batch must be a list of {count}, one an image, got {came}")
    return list(pairs)


def pixel_pairs(
    pairs: Any, label_map: Any, size: tuple[int, int], name: str
) -> Int64[Tensor, "2 K"]:
    """Pairs as pixels, numbered row by row: a pixel of each region that is named."""
    if pairs is None or (isinstance(pairs, Sequence | np.ndarray | Tensor) and not len(pairs)):
        return torch.empty(2, 0, dtype=torch.int64, device="cpu")
    given = ordered_labels(np.asarray(pairs) if isinstance(pairs, Sequence) else pairs)
    if given is None:
        raise TypeError(f"{name} must be integers, {_PAIRS}, got {pairs!r}")
    given = given.cpu()
    if given.ndim == 3 and given.shape[1:] == (2, 2):
        return pixels_at(given, size, name)
    if given.ndim != 2 or given.shape[1] != 2:
        raise ValueError(f"{name} must be {_PAIRS}, got shape {list(given.shape)}")
    if label_map is None:
        raise ValueError(f"{name} names regions, of which there are none without a partition")
    return pixels_of_labels(given, label_map, name)


def pixels_at(
    given: Int64[Tensor, "k 2 2"], size: tuple[int, int], name: str
) -> Int64[Tensor, "2 k"]:
    """Numbers of pixels that are given as (x, y)."""
    height, width = size
    x, y = given.unbind(2)
    outside = (x < 0) | (x >= width) | (y < 0) | (y >= height)
    if bool(outside.any()):
        where = given[outside][0].tolist()
        raise ValueError(f"{name}: (x, y) must lie in {width}×{height} pixels, got {where}")
    return (y * width + x).t()


def pixels_of_labels(
    given: Int64[Tensor, "k 2"], label_map: Any, name: str
) -> Int64[Tensor, "2 k"]:
    """The first pixels of regions that are given by their labels."""
    labels = ordered_labels(np.asarray(label_map) if isinstance(label_map, list) else label_map)
    assert labels is not None
    flat = labels.flatten().cpu()
    known, index = flat.unique(return_inverse=True)
    first = torch.full_like(known, len(flat)).scatter_reduce_(
        0, index, torch.arange(len(flat)), "amin"
    )
    place = torch.searchsorted(known, given).clamp(max=len(known) - 1)
    unknown = known[place] != given
    if bool(unknown.any()):
        raise ValueError(f"{name}: there is no region {int(given[unknown][0])} in the partition")
    return first[place].t()


def image_start(
    size: tuple[int, int],
    cluster: Int64[Tensor, " HW"] | None,
    together: Int64[Tensor, "2 K"],
    apart: Int64[Tensor, "2 J"],
    of: str,
    device: torch.device,
) -> Start:
    """Where one image begins: its given regions, those merged that belong together."""
    num_pixels = size[0] * size[1]
    parents: list[Tensor] = []
    counts = [num_pixels]
    region = torch.arange(num_pixels, device="cpu")
    if cluster is not None:
        region, count = number_by_first(cluster.cpu())
        parents.append(region)
        counts.append(count)
    together, apart = region[together], region[apart]
    linked, count = joined(together, counts[-1])
    if count < counts[-1]:
        parents.append(linked)
        counts.append(count)
    apart = linked[apart]
    same = apart[0] == apart[1]
    if bool(same.any()):
        raise ValueError(
            f"cannot_link{of}: both ends of pair {int(same.nonzero()[0])} are in one region, "
            "of the partition or by must_link"
        )
    low, high = apart.aminmax(dim=0)
    apart = torch.stack([low, high]).unique(dim=1) if apart.numel() else apart
    return Start([parent.to(device) for parent in parents], counts, apart.to(device))


def joined(pairs: Int64[Tensor, "2 K"], count: int) -> tuple[Int64[Tensor, " n"], int]:
    """What regions become once pairs are merged, touching or not, numbered by their first."""
    root = list(range(count)) if pairs.numel() else []

    def root_of(node: int) -> int:
        while root[node] != node:
            root[node] = root[root[node]]
            node = root[node]
        return node

    for u, v in pairs.t().tolist():
        a, b = sorted((root_of(u), root_of(v)))
        root[b] = a
    if not root:
        return torch.arange(count, device="cpu"), count
    roots = torch.tensor([root_of(node) for node in range(count)], device="cpu")
    return number_by_first(roots)


def check_clique(start: Start, num_tokens: int | None, of: str) -> None:
    """Refuse a count below that of regions of which all pairs stay apart.

    The largest such set is hard to find; this is one that grows by the region of most pairs.
    """
    if num_tokens is None or not start.apart.numel():
        return
    others: dict[int, set[int]] = {}
    for u, v in start.apart.t().tolist():
        others.setdefault(u, set()).add(v)
        others.setdefault(v, set()).add(u)
    clique: set[int] = set()
    for node in sorted(others, key=lambda node: (-len(others[node]), node)):
        if clique <= others[node]:
            clique.add(node)
    if len(clique) > num_tokens:
        raise ValueError(
            f"cannot_link{of} keeps {len(clique)} regions apart from each other, which is more "
            f"than num_tokens={num_tokens}"
        )
