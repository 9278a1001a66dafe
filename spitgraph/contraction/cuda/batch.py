"""The former operator's way through both steps; goes with it."""

from collections.abc import Sequence

import torch
from jaxtyping import Int32, Shaped
from torch import Tensor

from spitgraph.contraction.cuda.hierarchy import contract
from spitgraph.contraction.settings import Settings
from spitgraph.regions.cuda import describe_regions


def superpixels(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    steps: Int32[Tensor, "C P"] | None,
    levels: int,
    num_regions: int,
    similarity: str,
    compactness: float,
) -> tuple[Tensor, ...]:
    """Token graphs of a batch; see `spitgraph.contraction.operator.superpixels`."""
    settings = Settings(
        levels, num_tokens=num_regions or None, compactness=compactness, similarity=similarity
    )
    hierarchy = contract(images, steps, settings)
    of_images = hierarchy.counts.split((hierarchy.num_levels + 1).tolist())
    nodes = torch.stack([counts[-1] for counts in of_images])
    pixels, *regions, num_edges = describe_regions(images, hierarchy.cluster, nodes.tolist())
    level_sizes = torch.cat([counts[:-1] for counts in of_images])
    device = pixels.device
    flat = (hierarchy.cluster, hierarchy.parent, level_sizes.to(device), hierarchy.num_levels)
    return pixels, *flat, nodes, *regions, num_edges.to(device)
