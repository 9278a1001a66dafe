"""τ for a batch of images on a GPU, step by step."""

from collections.abc import Sequence

import torch
from jaxtyping import Int32, Shaped
from torch import Tensor

from spitgraph.contraction.cuda.colour import lab_steps
from spitgraph.contraction.cuda.hierarchy import contract
from spitgraph.images import unit_rgb
from spitgraph.regions.cuda import describe


def superpixels(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    steps: Int32[Tensor, "C P"] | None,
    levels: int,
    num_regions: int,
    similarity: str,
    compactness: float,
) -> tuple[Tensor, ...]:
    """Token graphs of a batch; see `spitgraph.contraction.operator.superpixels`."""
    heights, widths = [image.shape[1] for image in images], [image.shape[2] for image in images]
    channels = torch.cat([unit_rgb(image).flatten(1) for image in images], dim=1)
    pixels = channels.t().contiguous()
    if steps is None:
        steps = lab_steps(channels[:, None])
    cluster, hierarchy, level_sizes, num_levels, counts = contract(
        steps, heights, widths, levels, num_regions, similarity, compactness
    )
    regions = describe(cluster, pixels, heights, widths, counts)
    depths = torch.tensor(num_levels, device="cpu")
    nodes = torch.tensor(counts, device="cpu")
    return pixels, cluster, hierarchy, level_sizes, depths, nodes, *regions
