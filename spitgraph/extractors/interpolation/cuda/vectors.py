"""Token vectors of a batch; compare `spitgraph.extractors.interpolation`."""

from itertools import accumulate

import torch
import triton
from jaxtyping import Float32, Int64
from torch import Tensor

from spitgraph.extractors.interpolation.cuda import histogram, samples, texture
from spitgraph.kernels.cuda.jit import launch, on_device, on_own_device

#: Bins of a region's lattice that one program handles.
CELLS = 256


@on_own_device
def token_vectors(
    pixels: Float32[Tensor, "HW 3"],
    cluster: Int64[Tensor, " HW"],
    size: Int64[Tensor, " N"],
    bbox: Int64[Tensor, "N 4"],
    heights: list[int],
    widths: list[int],
    counts: list[int],
    bins: int,
    sigma: float,
    gradient: bool,
    mode: str,
) -> Float32[Tensor, "N D"]:
    """What `InterpolationExtractor` computes, to 1e-6. The host waits once, for the check.

    Args:
        pixels: RGB in [0, 1], the images one after the other, row by row.
        cluster: Region of each pixel, numbered over the batch, none empty.
        size: Pixels of each region.
        bbox: (x_min, y_min, x_max, y_max) of each region, max exclusive.
        heights: H of each image.
        widths: W of each image.
        counts: Regions of each image.
        bins: β.
        sigma: Standard deviation of the histograms' Gaussian.
        gradient: Whether the gradient histogram is part of the vector.
        mode: `"bilinear"` or `"nearest"`.

    Raises:
        ValueError: `cluster` or `bbox` reaches beyond an image, or there are too many images.
    """
    device = pixels.device
    pixels = pixels.detach().contiguous()
    num_regions, images, features = sum(counts), len(counts), 4 + gradient
    areas = [height * width for height, width in zip(heights, widths, strict=True)]
    sides, offsets = position_rows(heights, widths)
    first_pixel = list(accumulate(areas, initial=0))[:-1]
    table = on_device([first_pixel, heights, widths, offsets, counts], device)
    image_of = torch.arange(images, device=device)
    image_of = image_of.repeat_interleave(table[4], output_size=num_regions)
    check_reach(cluster, bbox, table, image_of)

    vectors = torch.empty(num_regions, bins**2 * features, device=device)
    by_region = (num_regions, triton.cdiv(bins**2, CELLS))
    samples.sample_colours[by_region](
        pixels, cluster, bbox.contiguous(), image_of, table, vectors, images, features,
        BINS=bins, NEAREST=mode == "nearest", BLOCK=CELLS, enable_fp_fusion=False,
    )  # fmt: skip
    slopes = None
    if gradient:
        slopes = torch.empty(2, len(pixels), device=device)
        launch(
            texture.gradients, max(areas), images,
            pixels, table, slopes, len(pixels), images,
        )  # fmt: skip
    pieces = histogram.pieces(cluster, size)
    scale = 0.5**0.5 / sigma
    partial = torch.empty(len(pieces.region), (1 + gradient) * bins**2, device=device)
    histogram.add_up_pieces[(len(partial),)](
        pieces.pixel, pieces.region, pieces.first_pixel, pieces.first_piece, image_of, table,
        histogram.position_table(sides, bins, sigma, device),
        histogram.centres(bins, device).float() * scale,
        slopes, partial, scale, len(pixels), num_regions, images,
        BINS=bins, WIDE=max(16, triton.next_power_of_2(bins)), LANES=histogram.LANES,
        PIECE=histogram.PIECE, GRADIENT=gradient, enable_fp_fusion=False,
    )  # fmt: skip
    histogram.join_pieces[by_region](
        partial, pieces.first_piece, size, vectors, 4 * (16 / bins) ** 2, features,
        BINS=bins, FEATURES=1 + gradient, BLOCK=CELLS, enable_fp_fusion=False,
    )  # fmt: skip
    return vectors


def check_reach(
    cluster: Int64[Tensor, " HW"],
    bbox: Int64[Tensor, "N 4"],
    table: Int64[Tensor, "5 B"],
    image_of: Int64[Tensor, " N"],
) -> None:
    """Raise a ValueError where the kernels would read outside of an image."""
    _, height, width, _, counts = table
    low, high = bbox[:, :2], bbox[:, 2:]
    sides = torch.stack([width, height], dim=1)[image_of]
    boxes = ((low >= 0) & (low < high) & (high <= sides)).all()
    areas = height * width
    first, count = (
        of_image.repeat_interleave(areas, output_size=len(cluster))
        for of_image in (counts.cumsum(0) - counts, counts)
    )
    clusters = ((cluster >= first) & (cluster < first + count)).all()
    boxes, clusters = torch.stack([boxes, clusters]).tolist()  # the host waits here
    if not boxes:
        raise ValueError("bbox reaches beyond the image")
    if not clusters:
        raise ValueError("cluster reaches beyond the image's tokens")


def position_rows(heights: list[int], widths: list[int]) -> tuple[list[int], list[int]]:
    """The images' different longer sides; and for each image the first row of its side's table."""
    longer = list(map(max, heights, widths))
    sides = sorted(set(longer))
    first_row = dict(zip(sides, accumulate(sides, initial=0), strict=False))
    return sides, [first_row[side] for side in longer]
