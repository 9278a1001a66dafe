"""A plain ViT's patch embedding as rows of γ: kernels of side β, positions through histograms."""

import math

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.nn.functional import interpolate

from spitgraph.extractors import Extractor, InterpolationExtractor
from spitgraph.extractors.interpolation.colour import Statistics
from spitgraph.extractors.interpolation.layout import COLOUR
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


def resized_grid(
    grid: Float64[Tensor, "g h D"], rows: int, columns: int
) -> Float64[Tensor, "rows columns D"]:
    """A position table for another number of patches a side (bicubic, as timm does)."""
    if grid.shape[:2] == (rows, columns):
        return grid
    channels_first = grid.permute(2, 0, 1)[None]
    resized = interpolate(channels_first, (rows, columns), mode="bicubic", antialias=True)
    return resized[0].permute(1, 2, 0)


def colour_rows(
    kernels: Float64[Tensor, "D C P P"], extractor: Extractor
) -> Float64[Tensor, "D length"]:
    """A patch projection as rows of γ that read an extractor's colours, and nothing else.

    Raises:
        ValueError: The extractor's vectors do not hold a square of each colour.
    """
    layout, length = extractor.layout, extractor.out_channels
    samples = {
        len(range(*layout[name].indices(length))) if name in layout else 0 for name in COLOUR
    }
    side = math.isqrt(min(samples))
    if samples != {side * side} or not side:
        raise ValueError(
            f"the layout of {type(extractor).__name__} must have {', '.join(COLOUR)}, each of the "
            f"same square number of samples, got {dict(layout)}"
        )
    rows = kernels.new_zeros(len(kernels), length)
    of_colours = resized_kernels(kernels, side).flatten(2).unbind(1)
    for name, weights in zip(COLOUR, of_colours, strict=True):
        rows[:, layout[name]] = weights
    return rows


def position_rows(
    grid: Float64[Tensor, "g h D"], extractor: InterpolationExtractor, patch_size: int
) -> Float64[Tensor, "D bins2"]:
    """W of least norm with W·h = p for every patch, or as nearly as bins allow.

    Args:
        grid: p, one row a patch of an image.
        extractor: What makes h, a patch's position histogram.
        patch_size: Side of the patches in pixels.
    """
    rows, columns = grid.shape[:2]
    image = torch.zeros(3, rows * patch_size, columns * patch_size, device="cpu")
    tokens = extractor(PatchTokenizer(patch_size)(image))
    histograms = tokens.x[:, extractor.layout["position"]].double()  # [g·h, β²]
    inverse = torch.linalg.pinv(histograms, rtol=RANK_TOLERANCE)
    return (inverse @ grid.flatten(0, 1)).t()


def input_map(
    own: Statistics | None, statistics: Statistics | None
) -> tuple[Float64[Tensor, " 3"], Float64[Tensor, " 3"]]:
    """(a, b) for which a·f + b is (x − mean)/std, f the colour that φ gives x.

    Exactly, where φ normalises colour; a = 1 and b = 0 where no mean and std are told. Of
    contrast-adjusted colour, the nearest map: channel by channel, over values x of [0, 1] that are
    distributed as N(mean, std).

    Args:
        own: Mean and std that φ normalises by; None where colour is contrast-adjusted.
        statistics: Those of the ViT.
    """
    if statistics is None:
        one = torch.ones(3, dtype=torch.float64, device="cpu")
        return one, torch.zeros_like(one)
    centre, spread = torch.tensor(statistics, dtype=torch.float64, device="cpu")
    if own is not None:
        mean, std = torch.tensor(own, dtype=torch.float64, device="cpu")
        return std / spread, (mean - centre) / spread
    x = torch.linspace(0, 1, 256, dtype=torch.float64, device="cpu").expand(3, -1)
    f = adjust_contrast(x)
    target = (x - centre[:, None]) / spread[:, None]
    weight = torch.exp(-(target**2) / 4)  # of both sides: its square is the density
    design = torch.stack([f, torch.ones_like(f)], dim=-1) * weight[..., None]  # [3, 256, 2]
    solution = torch.linalg.lstsq(design, (target * weight)[..., None]).solution[..., 0]
    return solution[:, 0], solution[:, 1]
