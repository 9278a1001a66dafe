"""The image with its regions drawn into it; plain tensors, no plotting library."""

from collections.abc import Sequence
from typing import Any, SupportsIndex

import torch
from jaxtyping import Bool, Float, Float32, Int64, Shaped
from PIL import Image
from torch import Tensor

from spitgraph.checks import integer
from spitgraph.data import TokenData

YELLOW = (1.0, 0.9, 0.1)
#: Share of border colour in a border's line, and how much darker the pixel across it gets.
OPACITY, SHADOW = 0.8, 0.4


def overlay(
    tokens: TokenData, *, color: Sequence[float] = YELLOW, scale: SupportsIndex = 1
) -> Float32[Tensor, "3 _H _W"]:
    """The image with the borders of its regions drawn into it.

    A border is a line one pixel wide, with a one-pixel shadow across it, so that it shows on dark
    and on bright pictures. Every pixel that has no neighbour in another region stays as it is.

    Args:
        tokens: One image, with its pixels.
        color: (red, green, blue) of the line, in [0, 1].
        scale: Enlarge the image by this whole number first: the lines get thinner against it.

    Returns:
        [3, H·scale, W·scale], in [0, 1].

    Raises:
        ValueError: A batch, dropped pixels, nodes that are no longer the image's tokens, a colour
            outside the range, or a scale below 1.
        TypeError: No token graph, or the scale is not an integer.
    """
    checked_color(color)
    scale = integer(scale, "scale")
    seg = enlarged(seg_of(tokens)[None], scale)[0]
    return with_borders(enlarged(image_of(tokens), scale), seg, color)


def with_borders(
    picture: Float32[Tensor, "3 H W"], seg: Int64[Tensor, "H W"], color: Sequence[float] = YELLOW
) -> Float32[Tensor, "3 H W"]:
    """A picture with the borders of a label map drawn into it; see `overlay`."""
    line, shadow = border_sides(seg)
    paint = torch.tensor(color, dtype=picture.dtype, device=picture.device).view(3, 1, 1)
    picture = torch.where(line, torch.lerp(picture, paint, OPACITY), picture)
    return torch.where(shadow, picture * (1 - SHADOW), picture)


def checked_color(color: Sequence[float]) -> None:
    """Refuse what is no colour."""
    if len(color) != 3 or not all(0 <= channel <= 1 for channel in color):
        raise ValueError(f"color must be three numbers in [0, 1], got {color!r}")


def seg_of(tokens: Any) -> Int64[Tensor, "H W"]:
    """Token of each pixel of the one image that is inspected.

    Raises:
        TypeError: It is no token graph.
        ValueError: A batch; there is no pixel map, or it no longer belongs to the nodes.
    """
    if not isinstance(tokens, TokenData):
        raise TypeError(f"expected the TokenData of one image, got {type(tokens).__name__}")
    return tokens.seg[0]


def image_of(tokens: TokenData) -> Float32[Tensor, "3 H W"]:
    """The image that was tokenized; see `seg_of`."""
    seg = seg_of(tokens)
    if "pixels" not in tokens:
        raise ValueError("the tokens hold no pixels: without_pixels() dropped them")
    return tokens.pixels.detach().t().reshape(3, *seg.shape)


def mean_colors(tokens: TokenData) -> Float32[Tensor, "3 H W"]:
    """The image, every region painted with its mean colour.

    Args:
        tokens: One image.

    Raises:
        ValueError: A batch, or nodes that are no longer the image's tokens.
        TypeError: No token graph.
    """
    seg = seg_of(tokens)
    return tokens.color.index_select(0, seg.flatten()).t().reshape(3, *seg.shape)


def to_pil(picture: Float[Tensor, "3 H W"]) -> Image.Image:
    """A picture with values in [0, 1] as a PIL image of 8 bits, to show or to save."""
    return Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).cpu().numpy())


def border_sides(seg: Int64[Tensor, "H W"]) -> tuple[Bool[Tensor, "H W"], Bool[Tensor, "H W"]]:
    """Pixels left of or above a border; and the other pixels right of or below one."""
    left = seg[:, :-1] != seg[:, 1:]
    above = seg[:-1] != seg[1:]
    before = torch.zeros_like(seg, dtype=torch.bool)
    behind = torch.zeros_like(before)
    before[:, :-1] |= left
    before[:-1] |= above
    behind[:, 1:] |= left
    behind[1:] |= above
    return before, behind & ~before


def enlarged(picture: Shaped[Tensor, "C _H _W"], scale: int) -> Shaped[Tensor, "C _h _w"]:
    """Every pixel as a square of scale × scale."""
    return picture.repeat_interleave(scale, dim=1).repeat_interleave(scale, dim=2)
