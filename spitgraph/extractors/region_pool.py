"""φ by a pretrained transformer: its dense features, averaged over regions (METHOD 4.6)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import interpolate

from spitgraph.batching import with_node_attribute
from spitgraph.checks import instance, integer
from spitgraph.data import TokenData
from spitgraph.extractors.base import Extractor
from spitgraph.tokenizers import PatchTokenizer

if TYPE_CHECKING:
    import spitgraph.nn


class RegionPool(Extractor):
    """Features of regions from a transformer that reads square patches, and is left as it is.

    The transformer sees the whole picture in its own patches; their final features, interpolated
    bilinearly between the patches' centres, are averaged over the pixels of each region. Nothing is
    foreign to the transformer, whatever the regions are, and averages of features lose nothing that
    patches had; borders are the regions'. The cost is the transformer's own.

    Args:
        model: A model on square patches, such as `from_vit(state_dict)` gives. Its final tokens,
            normed, are the features. Call `eval()` on it.
        image_size: Longer side in pixels that pictures are resized to for the transformer. By
            default, their own. Either way, both sides are rounded to whole patches.

    Raises:
        TypeError: The model does not read square patches.
        ValueError: `image_size` is less than a patch.
    """

    def __init__(self, model: "spitgraph.nn.SPiT", *, image_size: int | None = None) -> None:
        super().__init__()
        instance(model, nn.Module, "model", "a module")
        tokenizer = getattr(model, "tokenizer", None)
        if not isinstance(tokenizer, PatchTokenizer):
            kind = type(model if tokenizer is None else tokenizer).__name__
            raise TypeError(f"expected a model on square patches (PatchTokenizer), got {kind}")
        if image_size is not None:
            image_size = integer(image_size, "image_size", minimum=tokenizer.patch_size)
        self.model, self.image_size = model, image_size
        self.patch_size = tokenizer.patch_size

    @property
    def layout(self) -> Mapping[str, slice]:
        """All of it is features."""
        return {"features": slice(0, self.model.backbone.embed_dim)}

    def forward(self, tokens: TokenData) -> TokenData:
        """The same tokens (or batch of them) with `x` [N, D] set.

        Args:
            tokens: Token graphs that hold their pixels.

        Returns:
            A shallow copy. Differentiable with respect to the model and to `pixels`.

        Raises:
            ValueError: The pixels were dropped, or the nodes are no longer the tokens of the image.
        """
        return with_node_attribute(tokens, "x", self.pooled(tokens)[1])

    def pooled(self, tokens: TokenData) -> tuple[Float[Tensor, "B D"], Float[Tensor, "N D"]]:
        """The transformer's own vector of each image, and the features of each region.

        Args:
            tokens: As for `forward`.
        """
        if not isinstance(tokens, TokenData):
            raise TypeError(f"expected TokenData or a Batch of it, got {type(tokens).__name__}")
        images = list(tokens.iter_images())
        read = [self.resized(image) for image, *_ in images]
        features = self.model.forward_features(self.model.tokenize(read))
        grids = [[side // self.patch_size for side in image.shape[1:]] for image in read]
        rows = features.tokens.split([vertical * horizontal for vertical, horizontal in grids])
        x = [
            region_means(patches, grid, cluster.to(patches.device), size, image.shape[1:])
            for patches, grid, (image, cluster, size, _) in zip(rows, grids, images, strict=True)
        ]
        return features.class_token, torch.cat(x)

    def resized(self, image: Float[Tensor, "3 H W"]) -> Float[Tensor, "3 _H _W"]:
        """The picture that the transformer reads: whole patches of the wanted size."""
        height, width = image.shape[1:]
        scale = 1.0 if self.image_size is None else self.image_size / max(height, width)
        sides = [
            self.patch_size * max(1, round(side * scale / self.patch_size))
            for side in (height, width)
        ]
        if sides == [height, width]:
            return image
        return interpolate(image[None], sides, mode="bilinear", antialias=True)[0].clamp(0, 1)

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        return f"image_size={self.image_size}"


def region_means(
    features: Float[Tensor, "G D"],
    grid: Sequence[int],
    cluster: Int64[Tensor, " HW"],
    size: Int64[Tensor, " N"],
    image_size: Sequence[int],
) -> Float[Tensor, "N D"]:
    """Mean of each region's pixels, whose features are interpolated between patches.

    A region's mean is linear in the patches: one sparse matrix [N, G] of how much of each it holds.

    Args:
        features: Of the patches, row by row.
        grid: Rows and columns of patches, G in all.
        cluster: Region of each pixel.
        size: Pixels of each region.
        image_size: (H, W).
    """
    height, width = image_size
    vertical = neighbours(height, grid[0], features)
    horizontal = neighbours(width, grid[1], features)
    index, share = [], []
    for row, row_weight in vertical:
        for column, column_weight in horizontal:
            patch = row[:, None] * grid[1] + column  # [H, W]
            index.append(torch.stack([cluster, patch.flatten()]))
            share.append((row_weight[:, None] * column_weight).flatten())
    shape = (len(size), grid[0] * grid[1])
    held = torch.sparse_coo_tensor(
        torch.cat(index, dim=1), torch.cat(share), shape, check_invariants=False
    )
    return torch.sparse.mm(held.coalesce(), features) / size.to(features)[:, None]


def neighbours(
    extent: int, patches: int, like: Float[Tensor, "*S"]
) -> list[tuple[Int64[Tensor, " L"], Float[Tensor, " L"]]]:
    """For every line of pixels, the patch before and the one after it, and the weight of each.

    Beyond the first and the last patch's centre, that patch has all of it.
    """
    line = torch.arange(extent, dtype=torch.float64, device="cpu")
    place = ((line + 0.5) * patches / extent - 0.5).clamp(0, patches - 1)
    before = place.long()  # not negative: this is the floor
    after = (before + 1).clamp(max=patches - 1)
    weight = place - before
    return [
        (before.to(like.device), (1 - weight).to(like)),
        (after.to(like.device), weight.to(like)),
    ]
