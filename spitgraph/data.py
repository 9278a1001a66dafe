"""TokenData: one image as a graph of irregular tokens, and how such graphs batch."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, SupportsIndex

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor
from torch_geometric.data import Batch, Data

from spitgraph.attributes import ATTRIBUTES, NotHeldError, documented
from spitgraph.batching import (
    SAVED_TYPES,
    RegionSizes,
    TokenStorage,
    another_empty,
    check_slices,
    fill,
    filled_batch,
    forget_what_is_derived,
    is_batched,
    numbered,
    use_token_storage,
    without_attribute,
)
from spitgraph.grid import rgb_pixels
from spitgraph.hierarchy import Hierarchy
from spitgraph.pixel_map import PIXEL_MAP, map_counts, number_tokens, stored, stored_sizes
from spitgraph.regions import describe_regions
from spitgraph.tensors import integers

#: What a `TokenData` computes or checks when asked.
DERIVED = PIXEL_MAP | {"size", "tree", "parents", "seg"}


class TokenData(Data):
    """An image as a graph: a node a token, an edge between tokens whose regions touch.

    What it holds is said in `spitgraph.attributes.ATTRIBUTES`, by which batches, files and reports
    go. Levels are kept flat, so that images of different depth batch; `tree` and `parents` read
    them.

    `cluster` and `hierarchy` are there as long as the nodes are the tokens of the image: once some
    were dropped, repeated or put in another order, by whatever part of PyG, asking for them is an
    error that says so. What belongs to each node goes with it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        use_token_storage(self)
        number_tokens(self)

    @property
    def size(self) -> RegionSizes:
        """[N] int64, pixels of each region."""
        return stored_sizes(self).as_subclass(RegionSizes)

    @property
    def cluster(self) -> Int64[Tensor, " HW"]:
        """[H·W] int64, token of each pixel.

        Raises:
            NotHeldError: The nodes are no longer the tokens of the image.
        """
        map_counts(self)
        return stored(self, "cluster")

    @property
    def hierarchy(self) -> Int64[Tensor, " M"]:
        """[M] int64, parent maps one after the other, numbered within their image.

        Raises:
            NotHeldError: The nodes are no longer the tokens of the image.
        """
        parents = stored(self, "hierarchy")
        map_counts(self, "hierarchy")
        return parents

    @property
    def tree(self) -> Hierarchy:
        """The hierarchy that led to the tokens, with what follows from it.

        Raises:
            NotHeldError: There is none, or the nodes are no longer the tokens of the image.
        """
        parents, sizes = stored(self, "hierarchy"), iter(stored(self, "level_sizes").tolist())
        depths = stored(self, "num_levels").tolist()
        counts = [
            [*islice(sizes, depth), count]
            for depth, count in zip(depths, map_counts(self, "hierarchy"), strict=True)
        ]
        flat = [count for levels in counts for count in levels]
        return Hierarchy(
            parents,
            torch.tensor(flat, device="cpu"),
            torch.tensor(depths, device="cpu"),
            stored(self, "cluster"),
        )

    @property
    def parents(self) -> list[Int64[Tensor, " _"]]:
        """T int64 tensors: node of level t → node of level t + 1, offset in a batch.

        In a batch of images of different depth, T is the largest; shallower images stay as they are
        at the levels they do not have.
        """
        return self.tree.parents

    @parents.setter
    def parents(self, value: Sequence[Int64[Tensor, " _"]] | None) -> None:
        if value is None:
            for name in ("hierarchy", "level_sizes", "num_levels"):
                del self[name]
            return
        sizes = [parent.numel() for parent in value]
        device = value[0].device if value else stored(self, "cluster").device
        empty = torch.empty(0, dtype=torch.int64, device=device)
        self["hierarchy"] = torch.cat([empty, *value])
        self.level_sizes = torch.tensor(sizes, dtype=torch.int64, device=device)
        self.num_levels = torch.tensor([len(sizes)], device=device)

    @property
    def seg(self) -> Int64[Tensor, "1 H W"]:
        """`cluster` as a map [1, H, W]; single images only."""
        height, width = self._single_image_size("seg")
        return self.cluster.view(1, height, width)

    def partition(self, level: SupportsIndex) -> Int64[Tensor, " HW"]:
        """Region of each pixel at a level: 0 are the pixels themselves, T the tokens.

        Raises:
            ValueError: There is no such level.
        """
        return self.tree.partition(level)

    def to_level(self, level: SupportsIndex) -> "TokenData":
        """The same image (or batch) tokenised at another level of its hierarchy; `x` is dropped.

        Both hold the same `pixels`, not copies.

        Raises:
            ValueError: There is no such level, the pixels were dropped, or the nodes are no longer
                the tokens of the image.
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
            ValueError: The pixels were dropped, or the nodes are no longer the tokens of the image.
        """
        counts = map_counts(self)
        if "pixels" not in self:
            raise ValueError("the pixels are needed, which without_pixels() dropped")
        sizes = self.image_size.tolist()
        areas = [height * width for height, width in sizes]
        start = 0
        for (height, width), count, pixels, cluster, size, bbox in zip(
            sizes,
            counts,
            self.pixels.split(areas),
            stored(self, "cluster").split(areas),
            stored_sizes(self).split(counts),
            self.bbox.split(counts),
            strict=True,
        ):
            yield pixels.t().unflatten(1, (height, width)), cluster - start, size, bbox
            start += count

    def without_pixels(self) -> "TokenData":
        """A copy that does not hold `pixels`, which are most of its memory."""
        return without_attribute(self, "pixels")

    def __getattr__(self, key: str) -> Any:
        if key in DERIVED:  # Python asks here when the property raised, whose reason is to be heard
            return getattr(type(self), key).fget(self)
        if key in ATTRIBUTES:
            return stored(self, key)
        return super().__getattr__(key)

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        if key in PIXEL_MAP:
            map_counts(self, key)
        return value

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        number_tokens(self)  # files written before tokens were numbered

    def stores_as(self, data: Any) -> "TokenData":
        """See PyG, which begins so to fill a batch, or to take an image out of one."""
        if is_batched(data) and not isinstance(self, Batch):
            check_slices(data)
        return super().stores_as(data)

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        if key in ATTRIBUTES:
            return self.num_nodes if ATTRIBUTES[key].numbers else 0
        return super().__inc__(key, value, *args, **kwargs)

    def __reduce_ex__(self, protocol: Any) -> Any:
        forget_what_is_derived(self)
        if isinstance(self, Batch):
            return empty_batch, (), self.__dict__.copy()
        return super().__reduce_ex__(protocol)

    def _repr_html_(self) -> str:
        """What notebooks show: a thumbnail with borders, counts, levels and attributes."""
        from spitgraph.inspection.card import card

        return card(self)

    def _single_image_size(self, what: str) -> tuple[int, int]:
        if len(self.image_size) != 1:
            raise NotHeldError(
                f"{what} is of one image, this is a batch of {len(self.image_size)}: index it first"
            )
        height, width = self.image_size[0].tolist()
        return height, width


TokenData.__doc__ = f"{TokenData.__doc__}\n{documented()}"


def empty_batch() -> TokenData:
    """A batch without images, to be filled; saved batches name it as what they are made by."""
    return another_empty(_NO_IMAGES)


#: PyG's type of batches of `TokenData`.
TokenBatch = type(Batch(_base_cls=TokenData))
_NO_IMAGES, _NO_TOKENS = Batch(_base_cls=TokenBatch), TokenData()

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
    level_sizes = [count for levels in counts for count in levels[:-1]]
    regions = describe_regions([image.detach() for image in images], hierarchy.cluster, num_nodes)
    pixels = regions.pixels
    if any(image.requires_grad for image in images):
        pixels = torch.cat([rgb_pixels(image) for image in images])
    device = hierarchy.cluster.device
    known = {
        **regions._asdict(),
        "pixels": pixels,
        "cluster": hierarchy.cluster,
        "image_size": integers([image.shape[1:] for image in images]).to(device),
        "hierarchy": hierarchy.parent,
        "level_sizes": integers(level_sizes).to(device),
        "num_levels": hierarchy.num_levels.to(device),
    }
    attributes = {name: known[name] for name in ATTRIBUTES if name in known}
    if not is_batch:
        tokens = another_empty(_NO_TOKENS)
        fill(tokens, {**attributes, "token": numbered(num_nodes[0]).to(device)})
        return tokens
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
