"""TokenData: one image as a graph of irregular tokens, and how such graphs batch."""

import copy
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
from torch_geometric.data.storage import GlobalStorage

from spitgraph.grid import flatten_pixels
from spitgraph.regions import Regions, describe_regions


class RegionSizes(Tensor):
    """The region sizes of a `TokenData`, an ordinary int64 tensor [N].

    PyG's own transforms call `data.size()` for the shape of the adjacency matrix; the attribute
    `size` takes that name, so the tensor answers the call.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def __call__(self, dim: int | None = None) -> tuple[int, int] | int:
        """(N, N), or N for one of the two dimensions."""
        return (len(self), len(self)) if dim is None else len(self)


class TokenStorage(GlobalStorage):
    """Keeps PyG, which goes by lengths, from taking pixels for edges where there are as many."""

    NOT_OF_THE_GRAPH = ("cluster", "pixels", "image_size", "hierarchy", "level_sizes", "num_levels")

    def is_node_attr(self, key: str) -> bool:
        """Whether an attribute belongs to the tokens."""
        return key not in self.NOT_OF_THE_GRAPH and super().is_node_attr(key)

    def is_edge_attr(self, key: str) -> bool:
        """Whether an attribute belongs to the edges."""
        return key not in self.NOT_OF_THE_GRAPH and super().is_edge_attr(key)


class TokenData(Data):
    """An image as a graph: a node a token, an edge between tokens whose regions touch.

    N tokens, E directed edges, H×W pixels, T levels.

    Attributes:
        x: [N, D] float32, token vectors; None before an extractor has set them.
        edge_index: [2, E] int64, both directions, sorted, no self-loops.
        edge_attr: [E, 1] float32, length of the shared border in pixel sides.
        pos: [N, 2] float32, centroid (x, y) in pixels.
        size: [N] int64, pixels.
        bbox: [N, 4] int64, (x_min, y_min, x_max, y_max), max exclusive.
        color: [N, 3] float32, mean RGB.
        cluster: [H·W] int64, token of each pixel; offsets itself in a batch.
        pixels: [H·W, 3] float32, RGB in [0, 1].
        image_size: [1, 2] int64, (H, W).
        hierarchy, level_sizes, num_levels: what `parents` is kept in: the parent maps one after the
            other [Σ n_t], their lengths [T] and T [1], all int64. Flat, so that images of different
            depth batch.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__dict__["_store"] = TokenStorage(self._store.to_dict(), _parent=self)

    @property
    def size(self) -> RegionSizes:
        """[N] int64, pixels of each region."""
        return self._store["size"].as_subclass(RegionSizes)

    @size.setter
    def size(self, value: Int64[Tensor, " N"]) -> None:
        self._store["size"] = value.as_subclass(Tensor)

    @property
    def parents(self) -> list[Int64[Tensor, " _"]]:
        """T int64 tensors: node of level t → node of level t + 1, offset in a batch.

        In a batch of images of different depth, T is the largest; shallower images stay as they are
        at the levels they do not have.
        """
        if "ptr" not in self:
            return list(self.hierarchy.split(self.level_sizes.tolist()))
        return _batched_parents(_split_hierarchies(self), self.ptr.diff().tolist())

    @parents.setter
    def parents(self, value: Sequence[Int64[Tensor, " _"]]) -> None:
        sizes = [parent.numel() for parent in value]
        device = value[0].device if value else self.cluster.device
        empty = torch.empty(0, dtype=torch.int64, device=device)
        self.hierarchy = torch.cat([empty, *value])
        self.level_sizes = torch.tensor(sizes, dtype=torch.int64, device=device)
        self.num_levels = torch.tensor([len(sizes)], device=device)

    @property
    def seg(self) -> Int64[Tensor, "1 H W"]:
        """`cluster` as a map [1, H, W]; single images only."""
        height, width = self._single_image_size("seg")
        return self.cluster.view(1, height, width)

    def partition(self, level: int) -> Int64[Tensor, " HW"]:
        """Region of each pixel at a level: 0 are the pixels themselves, T the tokens.

        Raises:
            ValueError: There is no such level.
        """
        parents = self.parents
        if not 0 <= level <= len(parents):
            raise ValueError(f"level must be in 0 … {len(parents)}, got {level}")
        region = torch.arange(self.cluster.numel(), device=self.cluster.device)
        for parent in parents[:level]:
            region = parent.index_select(0, region)
        return region

    def to_level(self, level: int) -> "TokenData":
        """The same image (or batch) tokenised at another level of its hierarchy; `x` is dropped.

        Raises:
            ValueError: There is no such level, or the pixels were dropped.
        """
        if "ptr" in self:
            deepest = int(self.num_levels.max())
            if not 0 <= level <= deepest:
                raise ValueError(f"level must be in 0 … {deepest}, got {level}")
            images = [self.get_example(i) for i in range(self.num_graphs)]
            return Batch.from_data_list(
                [image.to_level(min(level, len(image.parents))) for image in images]
            )
        if "pixels" not in self:
            raise ValueError("to_level needs the pixels, which without_pixels() dropped")
        height, width = self._single_image_size("to_level")
        cluster = self.partition(level)
        return tokens_from_partition(
            self.pixels, height, width, cluster, parents=self.parents[:level]
        )

    def iter_images(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """For every image: pixels [3, H, W], cluster [H·W] within the image, size and bbox.

        Raises:
            ValueError: The pixels were dropped.
        """
        if "pixels" not in self:
            raise ValueError("the pixels are needed, which without_pixels() dropped")
        sizes = self.image_size.tolist()
        areas = [height * width for height, width in sizes]
        counts = self.ptr.diff().tolist() if "ptr" in self else [self.num_nodes]
        start = 0
        for (height, width), count, pixels, cluster, size, bbox in zip(
            sizes,
            counts,
            self.pixels.split(areas),
            self.cluster.split(areas),
            self._store["size"].split(counts),
            self.bbox.split(counts),
            strict=True,
        ):
            yield pixels.t().unflatten(1, (height, width)), cluster - start, size, bbox
            start += count

    def without_pixels(self) -> "TokenData":
        """A copy that does not hold `pixels`, which are most of its memory."""
        tokens = copy.copy(self)
        del tokens.pixels
        if "ptr" in self:
            tokens._slice_dict = {k: v for k, v in self._slice_dict.items() if k != "pixels"}
            tokens._inc_dict = {k: v for k, v in self._inc_dict.items() if k != "pixels"}
        return tokens

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        if key == "cluster":
            return self.num_nodes
        return super().__inc__(key, value, *args, **kwargs)

    def __reduce_ex__(self, protocol: Any) -> Any:
        for store in self.stores:  # PyG's cache of what is a node's; weights_only refuses its type
            store.__dict__.pop("_cached_attr", None)
        if "ptr" in self:
            return empty_batch, (), self.__dict__.copy()
        return super().__reduce_ex__(protocol)

    def _single_image_size(self, what: str) -> tuple[int, int]:
        if len(self.image_size) != 1:
            raise ValueError(
                f"{what} is of one image, this is a batch of {len(self.image_size)}: index it first"
            )
        height, width = self.image_size[0].tolist()
        return height, width


def empty_batch() -> TokenData:
    """A batch without images, to be filled; saved batches name it as what they are made by."""
    return Batch(_base_cls=TokenData)


# what a saved TokenData or Batch names, so that torch.load(..., weights_only=True) takes it
torch.serialization.add_safe_globals(
    [TokenData, DataEdgeAttr, DataTensorAttr, TokenStorage, empty_batch, type(empty_batch())]
)


def with_token_vectors(tokens: TokenData, x: Float[Tensor, "N D"]) -> TokenData:
    """A shallow copy of tokens (or a batch of them) with `x` set."""
    tokens = copy.copy(tokens)
    tokens.x = x
    if "ptr" in tokens:  # what taking one image out of a batch goes by
        tokens._slice_dict = {**tokens._slice_dict, "x": tokens.ptr.cpu()}
        tokens._inc_dict = {
            **tokens._inc_dict,
            "x": torch.zeros(tokens.num_graphs, dtype=torch.int64),
        }
    return tokens


def tokens_from_partition(
    pixels: Float[Tensor, "HW 3"],
    height: int,
    width: int,
    cluster: Int64[Tensor, " HW"],
    parents: Sequence[Int64[Tensor, " _"]] | None = None,
) -> TokenData:
    """The token graph of one image whose pixels are already assigned to regions.

    Args:
        pixels: RGB in [0, 1].
        height: H.
        width: W.
        cluster: Region of each pixel, numbered 0 … N − 1 without gaps.
        parents: The hierarchy that led to `cluster`; without it, one level: pixels → tokens.
    """
    num_tokens = int(cluster.max()) + 1
    regions = describe_regions(cluster, num_tokens, pixels, height, width)
    tokens = TokenData(
        edge_index=regions.edge_index,
        edge_attr=regions.edge_attr,
        pos=regions.pos,
        size=regions.size,
        bbox=regions.bbox,
        color=regions.color,
        cluster=cluster,
        pixels=pixels,
        image_size=torch.tensor([[height, width]], device=cluster.device),
    )
    tokens.parents = [cluster] if parents is None else parents
    return tokens


def tokens_from_hierarchy(
    image: Float[Tensor, "3 H W"], parents: Sequence[Int64[Tensor, " _"]]
) -> TokenData:
    """The token graph of one image at the last level of its hierarchy."""
    height, width = image.shape[-2:]
    cluster = torch.arange(height * width, device=image.device)
    for parent in parents:
        cluster = parent.index_select(0, cluster)
    return tokens_from_partition(flatten_pixels(image), height, width, cluster, parents)


def tokens_of_batch(
    regions: Regions,
    *,
    cluster: Int64[Tensor, " P"],
    pixels: Float[Tensor, "P 3"],
    sizes: list[tuple[int, int]],
    hierarchy: Int64[Tensor, " _"],
    level_sizes: Int64[Tensor, " _"],
    num_levels: list[int],
    num_nodes: list[int],
    num_edges: list[int],
    is_batch: bool = True,
) -> TokenData:
    """The same as `Batch.from_data_list` of the images' tokens, from tensors that hold them all.

    Args:
        regions: Of all images, one image after the other, numbered over the batch.
        cluster: Token of each pixel, numbered over the batch.
        pixels: RGB in [0, 1].
        sizes: (H, W) of each image.
        hierarchy: See `TokenData`.
        level_sizes: See `TokenData`.
        num_levels: T of each image.
        num_nodes: N of each image.
        num_edges: E of each image.
        is_batch: Whether a `Batch` is wanted, or the `TokenData` of the only image.
    """
    device = cluster.device
    attributes = {
        "edge_index": regions.edge_index,
        "edge_attr": regions.edge_attr,
        "pos": regions.pos,
        "size": regions.size,
        "bbox": regions.bbox,
        "color": regions.color,
        "cluster": cluster,
        "pixels": pixels,
        "image_size": torch.tensor(sizes, device=device),
        "hierarchy": hierarchy,
        "level_sizes": level_sizes,
        "num_levels": torch.tensor(num_levels, device=device),
    }
    if not is_batch:
        return TokenData(**attributes)
    images = len(sizes)
    levels = iter(level_sizes.tolist())
    of_nodes, of_edges, of_pixels, of_levels, of_maps, of_images = (
        torch.tensor(list(accumulate(lengths, initial=0)))
        for lengths in (
            num_nodes,
            num_edges,
            [height * width for height, width in sizes],
            num_levels,
            [sum(islice(levels, depth)) for depth in num_levels],
            [1] * images,
        )
    )
    batch = empty_batch()
    for key, value in attributes.items():
        batch[key] = value
    batch.batch = torch.from_numpy(np.arange(images).repeat(num_nodes)).to(device)
    batch.ptr = of_nodes.to(device)
    batch._num_graphs = images
    lengths = {"edge_index": of_edges, "edge_attr": of_edges, "hierarchy": of_maps}
    lengths |= {"cluster": of_pixels, "pixels": of_pixels, "level_sizes": of_levels}
    lengths |= {"image_size": of_images, "num_levels": of_images}
    batch._slice_dict = {key: lengths.get(key, of_nodes) for key in attributes}
    zero = torch.zeros(images, dtype=torch.int64)
    numbered = ("edge_index", "cluster")
    batch._inc_dict = {key: of_nodes[:-1] if key in numbered else zero for key in attributes}
    return batch


def _split_hierarchies(batch: TokenData) -> list[list[Tensor]]:
    """The parent maps of each image of a batch, numbered within the image."""
    sizes = [level.tolist() for level in batch.level_sizes.split(batch.num_levels.tolist())]
    images = batch.hierarchy.split([sum(levels) for levels in sizes])
    return [list(image.split(levels)) for image, levels in zip(images, sizes, strict=True)]


def _batched_parents(images: list[list[Tensor]], num_tokens: list[int]) -> list[Tensor]:
    """Parent maps of a whole batch, level by level, offset; identity where an image has ended."""
    levels = []
    device = next((parents[0].device for parents in images if parents), None)
    for level in range(max(len(parents) for parents in images)):
        start, parts = 0, []
        for parents, tokens in zip(images, num_tokens, strict=True):
            if level < len(parents):
                parts.append(parents[level] + start)
                deeper = level + 1 < len(parents)
                start += parents[level + 1].numel() if deeper else tokens
            else:
                parts.append(torch.arange(start, start + tokens, device=device))
                start += tokens
        levels.append(torch.cat(parts))
    return levels
