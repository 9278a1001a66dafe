"""Joint histograms of the regions; compare `spitgraph.extractors.interpolation.histogram`.

The Gaussian is separable: a block of pixels adds KᵧᵀKₓ to its region's histogram, two narrow
matrices whose product a GPU has nearly for nothing. Large regions are cut into pieces, so that no
program works on one of them for long; the pieces are added in a fixed order.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs

from dataclasses import dataclass

import torch
import triton.language as tl
from jaxtyping import Float32, Int64
from torch import Tensor

from spitgraph.extractors.interpolation.histogram import CUTOFF
from spitgraph.kernels.cuda.jit import kernel, on_device
from spitgraph.kernels.cuda.programs import START, WIDTH, starts

#: Pixels of a piece, and those that a program handles at a time.
PIECE = 512
LANES = 32
FARTHEST = tl.constexpr(CUTOFF)
#: Further rows of the table of images: first row of its positions' table, tokens of the image.
OFFSET, TOKENS = map(tl.constexpr, range(4, 6))


@dataclass
class Pieces:
    """The regions' pixels in pieces. There is room for more pieces than there are: no waiting.

    Attributes:
        pixel: [ΣH·W] pixels sorted by region.
        region: [P] region of each piece; N for none.
        first_pixel: [N + 1] place of each region's first pixel in `pixel`.
        first_piece: [N + 1] each region's first piece.
    """

    pixel: Int64[Tensor, " HW"]
    region: Int64[Tensor, " P"]
    first_pixel: Int64[Tensor, " ends"]
    first_piece: Int64[Tensor, " ends"]


def pieces(cluster: Int64[Tensor, " HW"], size: Int64[Tensor, " N"]) -> Pieces:
    """Sort the pixels by region, and cut the regions into pieces."""
    device = cluster.device
    most = size.numel() + cluster.numel() // PIECE
    none = size.new_zeros(1)
    first_piece = torch.cat([none, size.add(PIECE - 1).floor_divide(PIECE).cumsum(0)])
    return Pieces(
        pixel=cluster.int().argsort(stable=True),
        region=torch.searchsorted(first_piece[1:], torch.arange(most, device=device), right=True),
        first_pixel=torch.cat([none, size.cumsum(0)]),
        first_piece=first_piece,
    )


def centres(bins: int, device: torch.device) -> Tensor:
    """β bin centres in float64, evenly spaced from −1 + 1/β to 1 − 1/β."""
    index = torch.arange(bins, dtype=torch.float64, device=device)
    return (2 * index + 1 - bins) / bins


def position_table(
    sides: list[int], bins: int, sigma: float, device: torch.device
) -> Float32[Tensor, "S bins"]:
    """exp(−½(v − b)²/σ²) of the coordinates v of images with these longer sides, one by one."""
    scale = 0.5**0.5 / sigma
    images = on_device([sides, starts(sides)], device)
    side, first_row = images.repeat_interleave(images[0], dim=1, output_size=sum(sides))
    position = 2 * (torch.arange(len(side), device=device) - first_row).double() / side - 1
    offset = position[:, None] * scale - centres(bins, device) * scale
    return torch.exp(-(offset * offset).clamp(max=CUTOFF)).float()


@kernel
def add_up_pieces(
    order, region_of, first_pixel, first_piece, image_of, table, positions, centre, texture,
    partial, scale, num_pixels, num_regions, num_images,
    BINS: tl.constexpr, WIDE: tl.constexpr, LANES: tl.constexpr, PIECE: tl.constexpr,
    GRADIENT: tl.constexpr,
):  # fmt: skip
    """Histograms of one piece: of its pixels' positions, and of their gradients."""
    piece = tl.program_id(0)
    region = tl.load(region_of + piece)
    real = region < num_regions
    begin = tl.load(first_pixel + region)
    begin += (piece - tl.load(first_piece + region)) * PIECE
    end = tl.load(first_pixel + region + 1, mask=real, other=0)
    end = tl.minimum(end, begin + PIECE)
    image = tl.load(image_of + region, mask=real, other=0)
    start = tl.load(table + num_images * START + image)
    width = tl.load(table + num_images * WIDTH + image)
    offset = tl.load(table + num_images * OFFSET + image)
    bins = tl.arange(0, WIDE)
    used = bins < BINS
    place = tl.zeros([WIDE, WIDE], tl.float32)
    rough = tl.zeros([WIDE, WIDE], tl.float32)
    for at in range(begin, end, LANES):
        lane = at + tl.arange(0, LANES)
        inside = lane < end
        pixel = tl.load(order + lane, mask=inside, other=0)
        y = (pixel - start) // width
        x = (pixel - start) - y * width
        down = inside[None, :] & used[:, None]  # [bins, pixels]
        across = inside[:, None] & used[None, :]  # [pixels, bins]
        vertical = tl.load(
            positions + (offset + y)[None, :] * BINS + bins[:, None], mask=down, other=0.0
        )
        horizontal = tl.load(
            positions + (offset + x)[:, None] * BINS + bins[None, :], mask=across, other=0.0
        )
        place += tl.dot(vertical, horizontal, input_precision="ieee")
        if GRADIENT:
            middle = tl.load(centre + bins, mask=used, other=0.0)
            dy = tl.load(texture + pixel, mask=inside, other=0.0) * scale
            dx = tl.load(texture + num_pixels + pixel, mask=inside, other=0.0) * scale
            vertical = tl.where(down, gaussian(dy[None, :] - middle[:, None]), 0.0)
            horizontal = tl.where(across, gaussian(dx[:, None] - middle[None, :]), 0.0)
            rough += tl.dot(vertical, horizontal, input_precision="ieee")
    cell = bins[:, None] * BINS + bins[None, :]
    both = used[:, None] & used[None, :]
    out = partial + piece.to(tl.int64) * ((1 + GRADIENT) * BINS * BINS)
    tl.store(out + cell, place, mask=both)
    if GRADIENT:
        tl.store(out + BINS * BINS + cell, rough, mask=both)


@kernel
def gaussian(offset):
    """exp(−offset²), cut off."""
    return tl.exp(-tl.minimum(offset * offset, FARTHEST))


@kernel
def join_pieces(
    partial, first_piece, size, vectors, weight, num_features,
    BINS: tl.constexpr, FEATURES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Histograms of one region: the sum over its pieces, in order, per pixel."""
    region = tl.program_id(0).to(tl.int64)
    cell = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = cell < BINS * BINS
    begin = tl.load(first_piece + region)
    end = tl.load(first_piece + region + 1)
    share = weight / tl.load(size + region).to(tl.float64)
    for feature in tl.static_range(FEATURES):
        total = tl.zeros([BLOCK], tl.float64)  # a region may have many pieces
        for piece in range(begin, end):
            at = (piece * FEATURES + feature) * (BINS * BINS) + cell
            total += tl.load(partial + at, mask=inside, other=0.0)
        out = vectors + (region * (BINS * BINS) + cell) * num_features + 3 + feature
        tl.store(out, (total * share).to(tl.float32), mask=inside)
