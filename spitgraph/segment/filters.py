"""Masks drawn to the edges of the picture: filters for the borders that tokens do not follow."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from spitgraph.checks import instance, integer, positive
from spitgraph.data import TokenData
from spitgraph.extras import needs_extra
from spitgraph.images import ImageLike, load_image
from spitgraph.segment.solver import color_cells, solved

#: How certain the solver takes what it is given for: everywhere the same.
CONFIDENCE = 0.999


def bilateral(
    values: Any,
    image: ImageLike,
    *,
    sigma_spatial: float = 16.0,
    sigma_luma: float = 16.0,
    sigma_chroma: float = 8.0,
    smoothness: float = 256.0,
) -> Float32[Tensor, "_H _W"]:
    """The fast bilateral solver: values smooth where the picture is, near to those given elsewhere.

        argmin_x  λ/2 Σ_ij Ŵ_ij (x_i − x_j)² + c Σ_i (x_i − t_i)²,  c = 0.999

    with Ŵ the bistochastised bilateral affinities of position, luma and chroma, on a grid of cells
    of these widths. The parameters are TokenCut's.

    Args:
        values: [H, W], a mask or floats in [0, 1].
        image: Of the same size; what `load_image` takes.
        sigma_spatial: Side of a cell in pixels, above 0.
        sigma_luma: In steps of 8 bits, above 0.
        sigma_chroma: In steps of 8 bits, above 0.
        smoothness: λ, above 0.

    Returns:
        [H, W] in [0, 1].

    Raises:
        ValueError, TypeError: Sizes differ, values or parameters are outside their range.
        ImportError: SciPy is missing (extra `segment`).

    Source: Barron & Poole (2016); Wang et al. (2022), TokenCut.
    """
    soft, guide = _checked(values, image)
    cells = color_cells(
        guide.double(),
        positive(sigma_spatial, "sigma_spatial"),
        positive(sigma_luma, "sigma_luma"),
        positive(sigma_chroma, "sigma_chroma"),
    )
    found = solved(soft.double().flatten(), CONFIDENCE, cells, positive(smoothness, "smoothness"))
    return found.view_as(soft).float().clamp(0, 1).to(values.device)


def guided(
    values: Any, image: ImageLike, *, radius: int = 8, eps: float = 1e-4
) -> Float32[Tensor, "_H _W"]:
    """The guided filter: in every window, the values as a linear function of the picture's colours.

    Args:
        values: [H, W], a mask or floats in [0, 1].
        image: Of the same size; what `load_image` takes.
        radius: Of the windows, of 2·radius + 1 pixels a side.
        eps: Regularisation: contrasts of a variance far below it are smoothed over. Above 0.

    Returns:
        [H, W] in [0, 1].

    Raises:
        ValueError, TypeError: Sizes differ, values or parameters are outside their range.

    Source: He, Sun & Tang (2013); kornia's.
    """
    from kornia.filters import guided_blur

    soft, guide = _checked(values, image)
    side = 2 * integer(radius, "radius") + 1
    blurred = guided_blur(guide[None], soft[None, None], side, positive(eps, "eps"), "replicate")
    return blurred[0, 0].clamp(0, 1).to(values.device)


def _checked(
    values: Any, image: ImageLike
) -> tuple[Float32[Tensor, "H W"], Float32[Tensor, "3 H W"]]:
    """Both as float32 on the CPU."""
    instance(values, Tensor, "values", "a tensor")
    guide = load_image(image).detach().cpu()
    guide = guide / 255 if guide.dtype == torch.uint8 else guide.float()
    if values.shape != guide.shape[1:]:
        raise ValueError(
            f"expected values of the image's size {list(guide.shape[1:])}, got {list(values.shape)}"
        )
    soft = values.detach().cpu().float()
    if not bool(((soft >= 0) & (soft <= 1)).all()):  # nor NaN
        raise ValueError("expected values in [0, 1]")
    return soft, guide


# ---- masks ---------------------------------------------------------------------------------------


def _bilateral_mask(mask: Bool[Tensor, "H W"], tokens: TokenData) -> Bool[Tensor, "H W"]:
    """The largest part of what is above ½, without holes, as TokenCut has it."""
    with needs_extra("segment"):
        from scipy import ndimage

    above = ndimage.binary_fill_holes((bilateral(mask, _picture(tokens)) > 0.5).cpu().numpy())
    parts, count = ndimage.label(above)
    if count > 1:
        sizes = torch.from_numpy(parts).flatten().bincount()[1:]
        above = parts == int(sizes.argmax()) + 1
    return torch.from_numpy(above).to(mask.device)


def _guided_mask(mask: Bool[Tensor, "H W"], tokens: TokenData) -> Bool[Tensor, "H W"]:
    return guided(mask, _picture(tokens)) > 0.5


def _picture(tokens: TokenData) -> Tensor:
    """[3, H, W], of one image.

    Raises:
        ValueError: The pixels were dropped.
    """
    return next(tokens.iter_images())[0].detach()


#: What masks may pass, by name: token mask at pixels, tokens → mask.
FILTERS: dict[str, Callable[[Tensor, TokenData], Tensor]] = {
    "bilateral": _bilateral_mask,
    "guided": _guided_mask,
}
