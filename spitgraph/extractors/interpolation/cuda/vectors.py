"""Token vectors of a batch; compare `spitgraph.extractors.interpolation`."""

from collections.abc import Sequence
from itertools import accumulate

import torch
import triton
from jaxtyping import Float32, Int64
from torch import Tensor

from spitgraph.extractors.interpolation.cuda import histogram, samples, texture
from spitgraph.extractors.interpolation.cuda.histogram import TOKENS
from spitgraph.kernels.cuda.jit import check_batch, launch, on_own_device
from spitgraph.kernels.cuda.programs import HEIGHT, WIDTH, image_table

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
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Float32[Tensor, "N D"]:
    """What `InterpolationExtractor` computes, to 2e-6. The host waits once, for the check.

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
        mean: With `std`, what plain colour is normalised by, three numbers each.
        std: See `mean`.

    Raises:
        ValueError: `cluster` or `bbox` reaches beyond an image, or there are too many images.
    """
    areas = [height * width for height, width in zip(heights, widths, strict=True)]
    check_batch(len(areas), sum(areas))
    device = pixels.device
    pixels = pixels.detach().contiguous()
    num_regions, images, features = sum(counts), len(counts), 4 + gradient
    longer, offsets = position_rows(heights, widths)
    table = image_table(areas, heights, widths, offsets, counts, device=device)
    image_of = torch.arange(images, device=device)
    image_of = image_of.repeat_interleave(table[TOKENS.value], output_size=num_regions)
    check_reach(cluster, bbox, table, image_of)

    statistics = None
    if mean is not None and std is not None:
        statistics = torch.tensor([*mean, *std], dtype=torch.float32).to(device)
    vectors = torch.empty(num_regions, bins**2 * features, device=device)
    by_region = (num_regions, triton.cdiv(bins**2, CELLS))
    samples.sample_colours[by_region](
        pixels=pixels,
        cluster=cluster,
        bbox=bbox.contiguous(),
        image_of=image_of,
        table=table,
        statistics=statistics,
        vectors=vectors,
        num_images=images,
        num_features=features,
        BINS=bins,
        NEAREST=mode == "nearest",
        NORMALISED=statistics is not None,
        BLOCK=CELLS,
        enable_fp_fusion=False,
    )
    slopes = None
    if gradient:
        slopes = torch.empty(2, len(pixels), device=device)
        launch(
            texture.gradients,
            max(areas),
            images,
            pixels=pixels,
            table=table,
            texture=slopes,
            num_pixels=len(pixels),
            num_images=images,
        )
    pieces = histogram.pieces(cluster, size)
    scale = 0.5**0.5 / sigma
    partial = torch.empty(len(pieces.region), (1 + gradient) * bins**2, device=device)
    histogram.add_up_pieces[(len(partial),)](
        order=pieces.pixel,
        region_of=pieces.region,
        first_pixel=pieces.first_pixel,
        first_piece=pieces.first_piece,
        image_of=image_of,
        table=table,
        positions=histogram.position_table(longer, bins, sigma, device),
        centre=histogram.centres(bins, device).float() * scale,
        texture=slopes,
        partial=partial,
        scale=scale,
        num_pixels=len(pixels),
        num_regions=num_regions,
        num_images=images,
        BINS=bins,
        WIDE=max(16, triton.next_power_of_2(bins)),
        LANES=histogram.LANES,
        PIECE=histogram.PIECE,
        GRADIENT=gradient,
        enable_fp_fusion=False,
    )
    histogram.join_pieces[by_region](
        partial=partial,
        first_piece=pieces.first_piece,
        size=size,
        vectors=vectors,
        weight=4 * (16 / bins) ** 2,
        num_features=features,
        BINS=bins,
        FEATURES=1 + gradient,
        BLOCK=CELLS,
        enable_fp_fusion=False,
    )
    return vectors


def check_reach(
    cluster: Int64[Tensor, " HW"],
    bbox: Int64[Tensor, "N 4"],
    table: Int64[Tensor, "6 B"],
    image_of: Int64[Tensor, " N"],
) -> None:
    """Raise a ValueError where the kernels would read outside of an image."""
    height, width, counts = table[HEIGHT.value], table[WIDTH.value], table[TOKENS.value]
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
