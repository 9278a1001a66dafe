"""Joint histograms of two values a pixel under a Gaussian, region by region (METHOD 4.2, 4.3).

The kernel is separable: a region's histogram is a product KᵧᵀKₓ of two narrow matrices with a row
a pixel, so that β + β exponentials a pixel are enough where the formula shows β².
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from spitgraph.modes import product

#: For pixels [k, L], the vertical and the horizontal factor of the Gaussian, [k, L, β] each.
Kernels = Callable[[Tensor], tuple[Tensor, Tensor]]

#: The Gaussian is cut off at exp(−40) ≈ 4e-18, far below what changes a float32 sum of order one.
#: Beyond lie denormal numbers, on which processors are ten times slower.
CUTOFF = 40.0
#: Pixels handled at a time: their kernels fit a processor's cache, and bound the memory.
CHUNK = 2**13


@dataclass
class PixelBlocks:
    """The pixels of every region in blocks of equal length, the last of a region padded.

    Attributes:
        pixel: [K, L] int64, pixel numbers, or H·W for padding.
        region: [K] int64, the region a block belongs to.
    """

    pixel: Int64[Tensor, "K L"]
    region: Int64[Tensor, " K"]


def pixel_blocks(cluster: Int64[Tensor, " HW"], size: Int64[Tensor, " N"]) -> PixelBlocks:
    """Sort the pixels of an image into blocks by region.

    The length of the blocks is about half the mean region size, so that padding stays small; it
    depends on this image alone.
    """
    num_pixels, num_regions = cluster.numel(), size.numel()
    length = min(64, 1 << max(0, (num_pixels // num_regions).bit_length() - 2))
    sorted_region, order = cluster.sort(stable=True)
    blocks = (size + length - 1).div(length, rounding_mode="floor")  # blocks of each region
    first_pixel = size.cumsum(0) - size
    first_block = blocks.cumsum(0) - blocks
    rank = torch.arange(num_pixels, device=cluster.device) - first_pixel[sorted_region]
    slot = first_block[sorted_region] * length + rank
    region = torch.arange(num_regions, device=cluster.device).repeat_interleave(blocks)
    pixel = torch.full((region.numel() * length,), num_pixels, device=cluster.device)
    pixel[slot] = order
    return PixelBlocks(pixel.view(-1, length), region)


def bin_centres(bins: int, like: Float[Tensor, "*S"]) -> Float[Tensor, " bins"]:
    """β centres, evenly spaced from −1 + 1/β to 1 − 1/β."""
    index = torch.arange(bins, dtype=torch.float64, device="cpu")
    return ((2 * index + 1 - bins) / bins).to(like.device, like.dtype)


def gaussian(values: Float[Tensor, "*S"], bins: int, sigma: float) -> Float[Tensor, "*S bins"]:
    """exp(−½(v − b)²/σ²) of every value and bin, cut off at exp(−40)."""
    scale, furthest = 0.5**0.5 / sigma, CUTOFF**0.5
    offset = values[..., None] * scale - bin_centres(bins, values) * scale
    offset = offset.clamp(-furthest, furthest)  # before it is squared, which might overflow
    return torch.exp(-(offset * offset))


def lattice_kernels(
    height: int, width: int, bins: int, sigma: float, like: Float[Tensor, "*S"]
) -> Kernels:
    """Kernels of the pixels' positions: β exponentials a row and a column are all there are.

    Coordinates are 2y/max(H, W) − 1, likewise x, so that the aspect ratio is kept (METHOD 4).
    """
    longest = max(height, width)
    position = 2 * torch.arange(longest, dtype=torch.float64, device="cpu") / longest - 1
    table = gaussian(position, bins, sigma).to(like.device, like.dtype)
    rows = torch.cat([table[:height], table.new_zeros(1, bins)])  # the last is the padding's

    def kernels(pixel: Tensor) -> tuple[Tensor, Tensor]:
        return rows[pixel.div(width, rounding_mode="floor")], table[pixel % width]

    return kernels


def value_kernels(values: Float[Tensor, "2 HW"], bins: int, sigma: float) -> Kernels:
    """Kernels of two values a pixel, in [−1, 1]; the first one's bins are the rows."""
    far = 1 + 9 * sigma  # beyond the cut-off of every bin, and finite: its derivatives are 0
    padded = torch.cat([values, values.new_full((2, 1), far)], dim=1)

    def kernels(pixel: Tensor) -> tuple[Tensor, Tensor]:
        vertical, horizontal = gaussian(padded[:, pixel], bins, sigma)
        return vertical, horizontal

    return kernels


def joint_histogram(
    kernels: Kernels, blocks: PixelBlocks, size: Int64[Tensor, " N"], bins: int
) -> Float[Tensor, "N bins bins"]:
    """Σ_p exp(−½((v_p − b_i)² + (h_p − b_j)²)/σ²) / (|S|·¼(β/16)²) over each region's pixels.

    Args:
        kernels: For pixels [k, L], or H·W for padding, the two factors of the Gaussian [k, L, β].
        blocks: The pixels, sorted by region.
        size: Pixels of each region.
        bins: β.
    """
    total = None
    step = max(1, CHUNK // blocks.pixel.shape[1])
    for pixel, region in zip(blocks.pixel.split(step), blocks.region.split(step), strict=True):
        vertical, horizontal = kernels(pixel)
        joint = product(vertical.mT, horizontal).flatten(1)  # [k, β²]
        if total is None:
            total = joint.new_zeros(size.numel(), bins * bins)
        total = total.index_add(0, region, joint)
    assert total is not None  # an image has pixels
    weight = 4 * (16 / bins) ** 2 / size.to(total.dtype)
    return (total * weight[:, None]).view(-1, bins, bins)
