"""A plain ViT's patch embedding as rows of γ: kernels of side β, positions through histograms."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.nn.functional import interpolate

from spitgraph.checks import number
from spitgraph.extractors import InterpolationExtractor
from spitgraph.pixels import adjust_contrast
from spitgraph.tokenizers import PatchTokenizer

#: Singular values below this share of the largest are noise of float32 histograms.
RANK_TOLERANCE = 1e-5


def resized_kernels(
    kernels: Float64[Tensor, "D C P P"], side: int
) -> Float64[Tensor, "D C side side"]:
    """Kernels that see in resized patches what the given ones see in the patches themselves.

    With B the bilinear resizing of a side, w′ = B⁺ᵀ w B⁺, the w′ for which ⟨w′, B x Bᵀ⟩ is nearest
    to ⟨w, x⟩ over all patches x, and equal to it where patches grow (Beyer et al. 2023, FlexiViT).
    """
    patch = kernels.shape[-1]
    if patch == side:
        return kernels
    identity = torch.eye(patch, dtype=torch.float64, device=kernels.device)[None, None]
    resize = interpolate(identity, (side, patch), mode="bilinear", antialias=True)[0, 0]
    inverse = torch.linalg.pinv(resize.t())  # [side, P]
    return inverse @ kernels @ inverse.t()


def resized_grid(grid: Float64[Tensor, "g g D"], side: int) -> Float64[Tensor, "side side D"]:
    """A position table for another number of patches a side (bicubic)."""
    if len(grid) == side:
        return grid
    channels_first = grid.permute(2, 0, 1)[None]
    resized = interpolate(channels_first, (side, side), mode="bicubic", antialias=True)
    return resized[0].permute(1, 2, 0)


def position_rows(
    grid: Float64[Tensor, "g g D"], extractor: InterpolationExtractor, patch_size: int
) -> Float64[Tensor, "D bins2"]:
    """W of least norm with W·h = p for every patch, or as nearly as bins allow.

    Args:
        grid: p, one row a patch of a square image.
        extractor: What makes h, a patch's position histogram.
        patch_size: Side of the patches in pixels.
    """
    side = len(grid)
    image = torch.zeros(3, side * patch_size, side * patch_size, device="cpu")
    tokens = extractor(PatchTokenizer(patch_size)(image))
    histograms = tokens.x[:, extractor.layout["position"]].double()  # [g², β²]
    inverse = torch.linalg.pinv(histograms, rtol=RANK_TOLERANCE)
    return (inverse @ grid.flatten(0, 1)).t()


def input_map(
    mean: Sequence[float], std: Sequence[float]
) -> tuple[Float64[Tensor, " 3"], Float64[Tensor, " 3"]]:
    """(a, b) for which a·f + b is nearest to (x − mean)/std, f the colour that φ gives x.

    Channel by channel, over values x of [0, 1] that are distributed as N(mean, std).
    """
    centre, spread = of_channels(mean, "mean"), of_channels(std, "std")
    if not bool((spread > 0).all()):
        raise ValueError(f"std must be positive, got {std}")
    x = torch.linspace(0, 1, 256, dtype=torch.float64, device="cpu").expand(3, -1)
    f = adjust_contrast(x)
    target = (x - centre[:, None]) / spread[:, None]
    weight = torch.exp(-(target**2) / 4)  # of both sides: its square is the density
    design = torch.stack([f, torch.ones_like(f)], dim=-1) * weight[..., None]  # [3, 256, 2]
    solution = torch.linalg.lstsq(design, (target * weight)[..., None]).solution[..., 0]
    return solution[:, 0], solution[:, 1]


def of_channels(values: Sequence[float], name: str) -> Float64[Tensor, " 3"]:
    """Finite numbers of red, green and blue."""
    if isinstance(values, str) or not hasattr(values, "__len__") or len(values) != 3:
        raise ValueError(f"{name} must be of three channels, got {values!r}")
    channels = [number(value, name) for value in values]
    if not all(map(math.isfinite, channels)):
        raise ValueError(f"{name} must be finite, got {values!r}")
    return torch.tensor(channels, dtype=torch.float64, device="cpu")
