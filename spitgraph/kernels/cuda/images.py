"""A batch of images of any sizes as one tensor."""

from collections.abc import Sequence

import torch
from jaxtyping import Float32, Shaped
from torch import Tensor

from spitgraph.images import unit_rgb
from spitgraph.kernels.cuda.jit import check_batch


def sides(images: Sequence[Shaped[Tensor, "3 _H _W"]]) -> tuple[list[int], list[int], list[int]]:
    """Pixels, heights and widths of the images of a batch that the kernels take.

    Raises:
        ValueError: There are more images, or more pixels, than the kernels can number.
    """
    heights, widths = [image.shape[1] for image in images], [image.shape[2] for image in images]
    areas = [height * width for height, width in zip(heights, widths, strict=True)]
    check_batch(len(areas), sum(areas))
    return areas, heights, widths


def channels(images: Sequence[Shaped[Tensor, "3 _H _W"]]) -> Float32[Tensor, "3 P"]:
    """Red, green and blue in [0, 1] of all pixels, the images one after the other.

    Bytes are put together first, so that a batch of them is divided in a single step.
    """
    if len({image.dtype for image in images}) > 1:
        images = [unit_rgb(image) for image in images]
    together = torch.cat([image.detach().flatten(1) for image in images], dim=1)
    return unit_rgb(together[:, None])[:, 0]
