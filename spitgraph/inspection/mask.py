"""The image with a mask of it drawn in."""

from collections.abc import Sequence
from typing import Any, SupportsIndex

import torch
from jaxtyping import Float32
from torch import Tensor

from spitgraph.checks import instance, integer
from spitgraph.data import TokenData
from spitgraph.inspection.overlay import YELLOW, border_sides, checked_color, enlarged, image_of

#: What is left of the background's colour and brightness.
DIMMED = 0.35


def highlight(
    tokens: TokenData,
    mask: Any,
    *,
    color: Sequence[float] = YELLOW,
    scale: SupportsIndex = 1,
) -> Float32[Tensor, "3 _H _W"]:
    """The image with everything outside a mask grey and dark, and a line along its border.

    Args:
        tokens: One image, with its pixels.
        mask: [H, W] bool, as `segment.token_cut` has it.
        color: (red, green, blue) of the line, in [0, 1].
        scale: Enlarge the image by this whole number first: the line gets thinner against it.

    Returns:
        [3, H·scale, W·scale], in [0, 1].

    Raises:
        ValueError: A batch, dropped pixels, nodes that are no longer the image's tokens, a mask of
            another size or type, a colour outside the range, or a scale below 1.
        TypeError: No token graph or no tensor, or the scale is not an integer.
    """
    checked_color(color)
    scale = integer(scale, "scale")
    picture = image_of(tokens)
    instance(mask, Tensor, "mask", "a boolean tensor")
    if mask.dtype != torch.bool or mask.shape != picture.shape[1:]:
        raise ValueError(
            f"expected mask {list(picture.shape[1:])} of booleans, "
            f"got {list(mask.shape)} of {mask.dtype}"
        )
    picture = enlarged(picture, scale)
    inside = enlarged(mask.to(picture.device)[None], scale)[0]
    grey = picture.mean(dim=0, keepdim=True)
    picture = torch.where(inside, picture, DIMMED * torch.lerp(grey, picture, DIMMED))
    before, behind = border_sides(inside.long())
    paint = torch.tensor(color, dtype=picture.dtype, device=picture.device).view(3, 1, 1)
    return torch.where((before | behind) & ~inside, paint, picture)
