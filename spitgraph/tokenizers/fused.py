"""Superpixel tokens by the fused kernels: a batch at once, from pixels to token graphs."""

import torch
from jaxtyping import Int32, Shaped
from torch import Tensor

from spitgraph.contraction import operator
from spitgraph.data import TokenData, tokens_of_batch
from spitgraph.grid import flatten_pixels
from spitgraph.images import unit_rgb
from spitgraph.regions import Regions


def fused_tokens(
    images: list[Shaped[Tensor, "3 _H _W"]],
    steps: Int32[Tensor, "C P"] | None,
    is_batch: bool,
    *,
    levels: int,
    num_tokens: int | None,
    similarity: str,
    compactness: float,
) -> TokenData:
    """Token graphs of images, the same bit for bit as those of the plain path.

    Args:
        images: RGB, uint8 or float32 in [0, 1], on one device.
        steps: Quantised features of all images' pixels; None for those of `"lab"`.
        is_batch: Whether a `Batch` is wanted, or the `TokenData` of the only image.
        levels: Contraction steps, if no count of tokens is asked for.
        num_tokens: Exact count of tokens an image.
        similarity: Name of the edge weight.
        compactness: λ.
    """
    with torch.no_grad():
        pixels, cluster, hierarchy, level_sizes, num_levels, counts, *regions, num_edges = (
            operator.superpixels(
                [image.detach() for image in images],
                steps,
                levels,
                num_tokens or 0,
                similarity,
                compactness,
            )
        )
    if any(image.requires_grad for image in images):
        pixels = torch.cat([flatten_pixels(unit_rgb(image)) for image in images])
    return tokens_of_batch(
        Regions(*regions),
        cluster=cluster,
        pixels=pixels,
        sizes=[(image.shape[1], image.shape[2]) for image in images],
        hierarchy=hierarchy,
        level_sizes=level_sizes,
        num_levels=num_levels.tolist(),
        num_nodes=counts.tolist(),
        num_edges=num_edges.tolist(),
        is_batch=is_batch,
    )
