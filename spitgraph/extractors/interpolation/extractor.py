"""φ: what a region looks like, where it is and how rough it is, as a vector of fixed length."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from spitgraph.batching import with_node_attribute
from spitgraph.checks import boolean, channel_statistics, integer, one_of, positive
from spitgraph.data import TokenData
from spitgraph.extractors.base import Extractor
from spitgraph.extractors.interpolation import operator
from spitgraph.extractors.interpolation.bandwidth import sigma_of
from spitgraph.extractors.interpolation.colour import (
    SAMPLERS,
    Statistics,
    colours,
    sample_colours,
)
from spitgraph.extractors.interpolation.histogram import (
    joint_histogram,
    lattice_kernels,
    pixel_blocks,
    value_kernels,
)
from spitgraph.extractors.interpolation.layout import VectorLayout
from spitgraph.kernels import fused
from spitgraph.modes import exact_device, is_transformed, without_autocast
from spitgraph.pixel_map import map_counts, stored, stored_sizes
from spitgraph.pixels import gradients

#: Within these, the Gaussians of float32 neither overflow nor vanish.
NARROWEST, WIDEST = 1e-30, 1e30


class InterpolationExtractor(Extractor):
    """Token vectors by interpolation and joint histograms (METHOD 4; Aasan et al. 2024, §2.2).

    For each of β×β bins, row by row: red, green and blue of the region stretched to β×β samples
    (contrast-adjusted, or normalised by `mean` and `std`), the joint histogram of its pixels'
    positions, and, with `gradient`, that of their gradients.
    Works for any tokenizer, any partition and mixed image sizes; differentiable with respect to
    `pixels`.

    An image's vectors do not depend on its batch: images are handled one after the other. Nor do
    they depend on autocast. Those of a device without float64, such as Apple's MPS, are made on the
    CPU.

    Args:
        bins: β, bins a side, at least 2.
        gradient: Whether the gradient histogram is part of the vector.
        sigma: Standard deviation of the histograms' Gaussian, in units of half the longer side
            (of gradients: of half their range). None takes 0.8/β, which of 16 bins is 0.05; see
            `sigma_of`.
        mode: `"bilinear"`, or `"nearest"`, which with square patches of side β is their pixels.
        mean: With `std`, colour is (RGB − mean)/std, as plain vision transformers read it, in place
            of the contrast-adjusted one; three numbers.
        std: See `mean`; three positive numbers.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    def __init__(
        self,
        bins: int = 16,
        *,
        gradient: bool = True,
        sigma: float | None = None,
        mode: str = "bilinear",
        mean: Any = None,
        std: Any = None,
    ) -> None:
        super().__init__()
        self.bins = integer(bins, "bins", minimum=2)
        self.gradient = boolean(gradient, "gradient")
        self.sigma = sigma_of(self.bins) if sigma is None else positive(sigma, "sigma")
        if not NARROWEST <= self.sigma <= WIDEST:
            raise ValueError(f"sigma must be in [{NARROWEST}, {WIDEST}], got {sigma}")
        self.mode = one_of(mode, SAMPLERS, "mode")
        statistics = channel_statistics(mean, std)
        self.mean = None if statistics is None else statistics[0]
        self.std = None if statistics is None else statistics[1]
        if self.std is not None and not all(NARROWEST <= value <= WIDEST for value in self.std):
            raise ValueError(f"std must be in [{NARROWEST}, {WIDEST}], got {std}")

    @property
    def statistics(self) -> Statistics | None:
        """Mean and deviation that colour is normalised by, if it is."""
        return None if self.mean is None or self.std is None else (self.mean, self.std)

    @property
    def layout(self) -> Mapping[str, slice]:
        """Where red, green, blue, position and gradient lie in a vector (METHOD 4.4)."""
        return VectorLayout(self.bins, self.gradient).slices

    def forward(self, tokens: TokenData) -> TokenData:
        """The same tokens (or batch of them) with `x` [N, D] set.

        Args:
            tokens: Token graphs that hold their pixels.

        Returns:
            A shallow copy; `x` has the dtype of `pixels`.

        Raises:
            ValueError: The pixels were dropped, or the nodes are no longer the tokens of the image.
        """
        if not isinstance(tokens, TokenData):
            raise TypeError(f"expected TokenData or a Batch of it, got {type(tokens).__name__}")
        device = stored(tokens, "cluster").device
        if exact_device(device) != device:
            x = self(copy.copy(tokens).to(exact_device(device))).x.to(device)
        elif "pixels" not in tokens or not self._fused(tokens.pixels):
            with without_autocast(device):
                x = torch.cat([self._image_vectors(*image) for image in tokens.iter_images()])
        else:
            counts = map_counts(tokens)
            heights, widths = tokens.image_size.t().tolist()
            given = tokens.pixels, stored(tokens, "cluster"), stored_sizes(tokens), tokens.bbox
            x = operator.vectors_of_tokens(
                *(values.contiguous() for values in given),
                heights,
                widths,
                counts,
                self.bins,
                self.sigma,
                self.gradient,
                self.mode,
                self.mean,
                self.std,
            )
        return with_node_attribute(tokens, "x", x)

    def _fused(self, pixels: Float[Tensor, "P 3"]) -> bool:
        """Whether a kernel can do it: they have no gradients, and are made for float32."""
        wants_gradient = pixels.requires_grad and torch.is_grad_enabled()
        if wants_gradient or pixels.dtype != torch.float32 or is_transformed(pixels):
            return False
        return fused(pixels.device, "interpolation")

    def _image_vectors(
        self,
        image: Float[Tensor, "3 H W"],
        cluster: Int64[Tensor, " HW"],
        size: Int64[Tensor, " N"],
        bbox: Int64[Tensor, "N 4"],
    ) -> Float[Tensor, "N D"]:
        height, width = image.shape[1:]
        colour = colours(image, self.statistics)
        sampled = sample_colours(colour, cluster, bbox, height, width, self.bins, self.mode)
        blocks = pixel_blocks(cluster, size)
        kernels = [lattice_kernels(height, width, self.bins, self.sigma, colour)]
        if self.gradient:
            # float64 inside, for the asinh contrast magnifies rounding
            texture = torch.stack(gradients(image.double())).flatten(1).to(image.dtype)
            kernels.append(value_kernels(texture, self.bins, self.sigma))
        histograms = [joint_histogram(kernel, blocks, size, self.bins) for kernel in kernels]
        return torch.cat([sampled, torch.stack(histograms, dim=-1)], dim=-1).flatten(1)

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        shown = "" if self.mean is None else f", mean={self.mean}, std={self.std}"
        return (
            f"bins={self.bins}, gradient={self.gradient}, sigma={self.sigma:g}, mode={self.mode!r}"
            + shown
        )
