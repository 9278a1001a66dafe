"""Colour of a region, stretched to β×β samples (METHOD 4.1)."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from spitgraph.pixels import adjust_contrast

#: Mean and deviation of red, green and blue.
Statistics = tuple[tuple[float, float, float], tuple[float, float, float]]
#: Samples handled at a time, which bounds the memory.
CHUNK = 2**16


def colours(image: Float[Tensor, "3 H W"], statistics: Statistics | None) -> Float[Tensor, "HW 3"]:
    """What colour is read: contrast-adjusted (METHOD 3.1.1), or (image − mean)/std."""
    if statistics is None:
        return adjust_contrast(image).flatten(1).t().contiguous()
    mean, std = torch.tensor(statistics, dtype=image.dtype, device=image.device)
    return (image.flatten(1).t() - mean).div_(std).contiguous()


def box_positions(low: Int64[Tensor, " N"], high: Int64[Tensor, " N"], bins: int) -> Tensor:
    """β positions from low to high, both included: low + k/(β − 1)·(high − low), float64 [N, β]."""
    k = torch.arange(bins, device=low.device)
    return low[:, None] + (k * (high - low)[:, None]).double() / (bins - 1)


def sample_colours(
    colour: Float[Tensor, "HW C"],
    cluster: Int64[Tensor, " HW"],
    bbox: Int64[Tensor, "N 4"],
    height: int,
    width: int,
    bins: int,
    mode: str,
) -> Float[Tensor, "N bins bins C"]:
    """Masked colours on a β×β lattice over each region's bounding box.

    Colour is interpolated between all pixels, then multiplied by the likewise interpolated mask of
    the region: 1 on its own pixels, 0 elsewhere.

    Args:
        colour: Colour of each pixel, row by row.
        cluster: Region of each pixel.
        bbox: (x_min, y_min, x_max, y_max) of each region, max exclusive.
        height: H.
        width: W.
        bins: β ≥ 2.
        mode: `"bilinear"`, or `"nearest"` for the pixel nearest to each position.
    """
    sample = SAMPLERS[mode]
    regions = torch.arange(len(bbox), device=bbox.device)
    step = max(1, CHUNK // bins**2)
    return torch.cat(
        [
            sample(
                colour,
                cluster,
                region,
                box_positions(box[:, 1], box[:, 3] - 1, bins),
                box_positions(box[:, 0], box[:, 2] - 1, bins),
                height,
                width,
            )
            for region, box in zip(regions.split(step), bbox.split(step), strict=True)
        ]
    )


def bilinear_samples(
    colour: Float[Tensor, "HW C"],
    cluster: Int64[Tensor, " HW"],
    region: Int64[Tensor, " n"],
    y: Float[Tensor, "n bins"],
    x: Float[Tensor, "n bins"],
    height: int,
    width: int,
) -> Float[Tensor, "n bins bins C"]:
    """Bilinear colour times bilinear mask at every (y, x) of each region."""
    y0, x0 = y.long(), x.long()  # positions are not negative: this is the floor
    rows = (y0, (y0 + 1).clamp(max=height - 1))
    columns = (x0, (x0 + 1).clamp(max=width - 1))
    dy, dx = (y - y0).to(colour.dtype), (x - x0).to(colour.dtype)
    total, mask = colour.new_zeros(()), colour.new_zeros(())
    for row, row_weight in zip(rows, (1 - dy, dy), strict=True):
        for column, column_weight in zip(columns, (1 - dx, dx), strict=True):
            weight = row_weight[:, :, None] * column_weight[:, None, :]  # [n, β, β]
            pixel = (row[:, :, None] * width + column[:, None, :]).flatten()
            total = total + weight[..., None] * pixel_values(colour, pixel, weight.shape)
            own = pixel_values(cluster, pixel, weight.shape) == region[:, None, None]
            mask = mask + weight * own
    return total * mask[..., None]


def nearest_samples(
    colour: Float[Tensor, "HW C"],
    cluster: Int64[Tensor, " HW"],
    region: Int64[Tensor, " n"],
    y: Float[Tensor, "n bins"],
    x: Float[Tensor, "n bins"],
    height: int,
    width: int,
) -> Float[Tensor, "n bins bins C"]:
    """Colour of the pixel nearest to every (y, x), 0 where it is another region's."""
    shape = (*y.shape, x.shape[1])
    row, column = y.round().long(), x.round().long()
    pixel = (row[:, :, None] * width + column[:, None, :]).flatten()
    own = pixel_values(cluster, pixel, shape) == region[:, None, None]
    return pixel_values(colour, pixel, shape) * own[..., None]


#: Ways to look up a colour between pixels, by name.
SAMPLERS = {"bilinear": bilinear_samples, "nearest": nearest_samples}


def pixel_values(values: Tensor, pixel: Int64[Tensor, " k"], shape: tuple[int, ...]) -> Tensor:
    """Values of the given pixels, in the shape of the lattice."""
    return values.index_select(0, pixel).view(*shape, *values.shape[1:])
