"""The extractor's fused body as a PyTorch operator, one implementation a device.

Tensors of a batch hold its images one after the other: P pixels in all, N tokens.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from spitgraph.extractors.interpolation.layout import VectorLayout
from spitgraph.modes import is_eager

#: Types of the devices whose kernels exist.
CPU, CUDA = "cpu", "cuda"


def vectors_of_tokens(pixels: Tensor, *arguments: Any) -> Tensor:
    """As `token_vectors`: by the operator, or by what it calls."""
    if is_eager((pixels, *arguments[:3])):
        from spitgraph.extractors.interpolation.cpu import vectors

        return vectors.token_vectors(pixels, *arguments)
    return token_vectors(pixels, *arguments)


@torch.library.custom_op(
    "spitgraph::token_vectors",
    mutates_args=(),
    device_types=CPU,
    schema="(Tensor pixels, Tensor cluster, Tensor size, Tensor bbox, SymInt[] heights, "
    "SymInt[] widths, SymInt[] counts, SymInt bins, float sigma, bool gradient, str mode, "
    "float[]? mean=None, float[]? std=None) -> Tensor",
)
def token_vectors(
    pixels: Tensor,
    cluster: Tensor,
    size: Tensor,
    bbox: Tensor,
    heights: Sequence[int],
    widths: Sequence[int],
    counts: Sequence[int],
    bins: int,
    sigma: float,
    gradient: bool,
    mode: str,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Tensor:
    """Vectors of tokens (METHOD 4), to 2e-6 of the plain path.

    Args:
        pixels: [P, 3] float32.
        cluster: [P] int64, token of each pixel, numbered over the batch.
        size: [N] int64.
        bbox: [N, 4] int64.
        heights: H of each image.
        widths: W of each image.
        counts: Tokens of each image.
        bins: β.
        sigma: Standard deviation of the histograms' Gaussian.
        gradient: Whether the gradient histogram is wanted.
        mode: `"bilinear"` or `"nearest"`.
        mean: With `std`, what plain colour is normalised by, three numbers each.
        std: See `mean`.

    Returns:
        [N, (4 + gradient)·β²] float32.
    """
    from spitgraph.extractors.interpolation.cpu import vectors

    return vectors.token_vectors(
        pixels,
        cluster,
        size,
        bbox,
        list(heights),
        list(widths),
        list(counts),
        bins,
        sigma,
        gradient,
        mode,
        mean,
        std,
    )


@token_vectors.register_kernel(CUDA)
def _(*arguments: Any) -> Tensor:
    from spitgraph.extractors.interpolation.cuda import vectors

    return vectors.token_vectors(*arguments)


@token_vectors.register_fake
def _(pixels: Tensor, cluster: Tensor, size: Tensor, *others: Any) -> Tensor:
    bins, _, gradient, *_ = others[4:]
    return pixels.new_empty(size.shape[0], VectorLayout(bins, gradient).length)
