"""Features of a grid of patches, read off at regions of any shape."""

from typing import Any, SupportsIndex

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from spitgraph.batching import is_batched
from spitgraph.checks import instance, integer
from spitgraph.data import TokenData
from spitgraph.extractors.region_pool import region_means
from spitgraph.images import ImageLike, load_image
from spitgraph.nn import SPiT
from spitgraph.segment.features import token_features
from spitgraph.segment.maps import images_of
from spitgraph.tokenizers import PatchTokenizer, from_partition


def grid_features(
    model: SPiT,
    image: ImageLike,
    *,
    long_side: SupportsIndex | None = None,
    kind: str = "tokens",
    layer: SupportsIndex = -1,
) -> Float[Tensor, "D h w"]:
    """Features of a patch model's patches, laid out as they lie in the image.

    The image is resized to whole patches first, bilinearly and with antialiasing: to the multiples
    of the patch that are nearest, so that proportions stay nearly as they are.

    Args:
        model: Of patches, as `from_vit` makes it.
        image: One image; what `load_image` takes.
        long_side: Of the resized image, in pixels; by default the side of the images that the model
            is meant for, if it says so, and otherwise that of the image.
        kind: See `token_features`.
        layer: See `token_features`.

    Returns:
        [D, h, w].

    Raises:
        ValueError: The model's tokens are no patches, or the side is below 1; as `token_features`.
        TypeError: An argument is of another type.
    """
    instance(model, SPiT, "model", "a SPiT")
    if not isinstance(model.tokenizer, PatchTokenizer):
        raise ValueError(
            f"expected a model of patches, its tokenizer is {type(model.tokenizer).__name__}"
        )
    picture = load_image(image)
    picture = picture / 255 if picture.dtype == torch.uint8 else picture
    longest = max(picture.shape[1:])
    if long_side is None:
        long_side = getattr(model, "image_size", None) or longest
    side = integer(long_side, "long_side")
    patch = model.tokenizer.patch_size
    rows, columns = (max(1, round(n * side / longest / patch)) for n in picture.shape[1:])
    size = (rows * patch, columns * patch)
    resized = interpolate(picture[None], size, mode="bilinear", antialias=True)[0].clamp(0, 1)
    features = token_features(model, model.tokenize(resized), kind, layer=layer)
    return features.T.unflatten(1, (rows, columns))


def grid_tokens(grid: Any, image: ImageLike) -> TokenData:
    """The patches as tokens of the image at its native size: every pixel is of the nearest.

    Args:
        grid: [D, h, w], as `grid_features` makes it; `grid.flatten(1).T` are the tokens' features.
        image: What `load_image` takes, of at least h×w pixels.

    Raises:
        ValueError: No grid [D, h, w], or one of more patches than pixels along a side.
        TypeError: An argument is of another type.
    """
    rows, columns = _checked_grid(grid)
    picture = load_image(image)
    height, width = picture.shape[1:]
    if height < rows or width < columns:
        raise ValueError(f"expected at least {[rows, columns]} pixels, got {[height, width]}")
    y = torch.arange(height, device=picture.device) * rows // height
    x = torch.arange(width, device=picture.device) * columns // width
    return from_partition(picture, y[:, None] * columns + x)


def pool_grid(
    grid: Any, tokens: TokenData, *, level: SupportsIndex | None = None
) -> Float[Tensor, "n D"]:
    """Mean over each region of features that are interpolated bilinearly between patch centres.

    Beyond the outermost centres the nearest counts. The features of the pixels are never made: what
    each patch weighs in each region is.

    Args:
        grid: [D, h, w] floats, features of h×w equal patches that cover the image, at whatever size
            the model saw it.
        tokens: One image, at its native size.
        level: Of the hierarchy; the last by default.

    Returns:
        [n, D], of the grid's dtype and device; differentiable.

    Raises:
        ValueError: No grid [D, h, w], a batch, no such level, or nodes that are no longer tokens.
        TypeError: An argument is of another type.
    """
    instance(tokens, TokenData, "tokens", "a TokenData")
    if is_batched(tokens):
        raise ValueError("expected the tokens of one image, got a batch: index it first")
    (image,) = images_of(tokens)
    rows, columns = _checked_grid(grid)
    tree = image.tree
    region = image.cluster if level is None else tree.partition(level)
    (count,) = tree.num_regions(level)
    height, width = image.seg.shape[1:]
    sizes = torch.bincount(region, minlength=count)
    features, region = grid.flatten(1).T, region.to(grid.device)
    return region_means(features, (rows, columns), region, sizes, (height, width))


def _checked_grid(grid: Any) -> tuple[int, int]:
    """Rows and columns."""
    instance(grid, Tensor, "grid", "a tensor")
    if grid.dim() != 3 or grid.numel() == 0 or not grid.is_floating_point():
        raise ValueError(
            f"expected grid [D, h, w] of floats, got {list(grid.shape)} of {grid.dtype}"
        )
    return grid.shape[1], grid.shape[2]
