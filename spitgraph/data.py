"""TokenData: one image as a graph of irregular tokens, and how such graphs batch."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor
from torch_geometric.data import Batch, Data

from spitgraph.attributes import ATTRIBUTES, documented
from spitgraph.batching import (
    SAVED_TYPES,
    TokenStorage,
    filled_batch,
    forget_what_is_derived,
    is_batched,
    num_tokens,
    use_token_storage,
    without_attribute,
)
from spitgraph.grid import rgb_pixels
from spitgraph.hierarchy import Hierarchy
from spitgraph.regions import describe_regions


class RegionSizes(Tensor):
    """The region sizes of a `TokenData`, an ordinary int64 tensor [N].

    PyG's own transforms call `data.size()` for the shape of the adjacency matrix; the attribute
    `size` takes that name, so the tensor answers the call.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def __call__(self, dim: int | None = None) -> tuple[int, int] | int:
        """(N, N), or N for one of the two dimensions."""
        return (len(self), len(self)) if dim is None else len(self)

    def __reduce_ex__(self, protocol: Any) -> Any:  # copied and saved as what it is otherwise
        return self.as_subclass(Tensor).__reduce_ex__(protocol)

    def __deepcopy__(self, memo: dict) -> Tensor:
        return self.as_subclass(Tensor).__deepcopy__(memo)


class TokenData(Data):
    """An image as a graph: a node a token, an edge between tokens whose regions touch.

    What it holds is said in `spitgraph.attributes.ATTRIBUTES`, by which batches, files and reports
    go. Levels are kept flat, so that images of different depth batch; `tree` and `parents` read
    them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        use_token_storage(self)

    @property
    def size(self) -> RegionSizes:
        """[N] int64, pixels of each region."""
        return self._store["size"].as_subclass(RegionSizes)

    @size.setter
    def size(self, value: Int64[Tensor, " N"]) -> None:
        self._store["size"] = value.as_subclass(Tensor)

    @property
    def tree(self) -> Hierarchy:
        """The hierarchy that led to the tokens, with what follows from it."""
        depths, sizes = self.num_levels.tolist(), iter(self.level_sizes.tolist())
        counts = [
            [*islice(sizes, depth), count]
            for depth, count in zip(depths, num_tokens(self), strict=True)
        ]
        flat = [count for levels in counts for count in levels]
        return Hierarchy(
            self.hierarchy,
            torch.tensor(flat, device="cpu"),
            torch.tensor(depths, device="cpu"),
            self.cluster,
        )

    @property
    def parents(self) -> list[Int64[Tensor, " _"]]:
        """T int64 tensors: node of level t → node of level t + 1, offset in a batch.

        In a batch of images of different depth, T is the largest; shallower images stay as they are
        at the levels they do not have.
        """
        return self.tree.parents

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
        return self.tree.partition(level)

    def to_level(self, level: int) -> "TokenData":
        """The same image (or batch) tokenised at another level of its hierarchy; `x` is dropped.

        Both hold the same `pixels`, not copies.

        Raises:
            ValueError: There is no such level, or the pixels were dropped.
        """
        tree = self.tree.at(level)
        if "pixels" not in self:
            raise ValueError("to_level needs the pixels, which without_pixels() dropped")
        images = [pixels for pixels, *_ in self.iter_images()]
        tokens = tokens_from_hierarchy(images, tree, is_batch=is_batched(self))
        tokens.pixels = self.pixels
        return tokens

    def iter_images(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """For every image: pixels [3, H, W], cluster [H·W] within the image, size and bbox.

        Those that can be are views of what this holds.

        Raises:
            ValueError: The pixels were dropped.
        """
        if "pixels" not in self:
            raise ValueError("the pixels are needed, which without_pixels() dropped")
        sizes = self.image_size.tolist()
        areas = [height * width for height, width in sizes]
        counts = num_tokens(self)
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
        return without_attribute(self, "pixels")

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        if key in ATTRIBUTES:
            return self.num_nodes if ATTRIBUTES[key].numbers else 0
        return super().__inc__(key, value, *args, **kwargs)

    def __reduce_ex__(self, protocol: Any) -> Any:
        forget_what_is_derived(self)
        if is_batched(self):
            return empty_batch, (), self.__dict__.copy()
        return super().__reduce_ex__(protocol)

    def _single_image_size(self, what: str) -> tuple[int, int]:
        if len(self.image_size) != 1:
            raise ValueError(
                f"{what} is of one image, this is a batch of {len(self.image_size)}: index it first"
            )
        height, width = self.image_size[0].tolist()
        return height, width


TokenData.__doc__ = f"{TokenData.__doc__}\n{documented()}"


def empty_batch() -> TokenData:
    """A batch without images, to be filled; saved batches name it as what they are made by."""
    return Batch(_base_cls=TokenBatch)


#: PyG's type of batches of `TokenData`; named once, it need not be looked for in every call.
TokenBatch = type(Batch(_base_cls=TokenData))

# what a saved TokenData or Batch names, so that torch.load(..., weights_only=True) takes it
torch.serialization.add_safe_globals(
    [
        TokenData,
        *SAVED_TYPES,
        TokenStorage,
        empty_batch,
        TokenBatch,
    ]
)


def tokens_from_hierarchy(
    images: Sequence[Shaped[Tensor, "3 _H _W"]], hierarchy: Hierarchy, *, is_batch: bool
) -> TokenData:
    """The token graphs of images whose regions are known.

    Args:
        images: RGB, uint8 or float32 in [0, 1], on one device.
        hierarchy: Of all images; the regions of its last level become tokens.
        is_batch: Whether a PyG `Batch` is wanted, or the `TokenData` of the only image.
    """
    counts = hierarchy.image_counts
    num_nodes = [levels[-1] for levels in counts]
    regions = describe_regions([image.detach() for image in images], hierarchy.cluster, num_nodes)
    pixels = regions.pixels
    if any(image.requires_grad for image in images):
        pixels = torch.cat([rgb_pixels(image) for image in images])
    device = hierarchy.cluster.device
    known = {
        **regions._asdict(),
        "pixels": pixels,
        "cluster": hierarchy.cluster,
        "image_size": torch.tensor([image.shape[1:] for image in images], device=device),
        "hierarchy": hierarchy.parent,
        "level_sizes": torch.tensor(hierarchy.level_sizes, dtype=torch.int64, device=device),
        "num_levels": hierarchy.num_levels.to(device),
    }
    attributes = {name: known[name] for name in ATTRIBUTES if name in known}
    if not is_batch:
        return TokenData(**attributes)
    return filled_batch(
        empty_batch(),
        attributes,
        {
            "N": num_nodes,
            "E": regions.num_edges.tolist(),
            "P": [levels[0] for levels in counts],
            "B": [1] * len(images),
            "L": [len(levels) - 1 for levels in counts],
            "M": [sum(levels[:-1]) for levels in counts],
        },
    )
