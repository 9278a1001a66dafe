"""Every kernel of contraction and regions, with every type that images can bring to it."""

import torch

from spitgraph.contraction.cpu.batch import contract
from spitgraph.settings import Settings


def warm_up() -> None:
    """Contract and describe small images of all kinds."""
    from spitgraph.regions.cpu import describe_regions  # which has borrowed from contraction
    from spitgraph.tokenizers.cells import nearest_cells

    bytes8 = (torch.arange(3 * 8 * 9) * 37 % 256).to(torch.uint8).view(3, 8, 9)
    floats = bytes8 / 255
    dark = floats * 0.3  # no picture of 8 bits
    images = [bytes8, floats, dark]
    images += [image.permute(1, 2, 0).contiguous().permute(2, 0, 1) for image in images]
    for image in images:
        contract([image], None, Settings(2))
    hierarchy = contract(images, None, Settings(num_tokens=5, similarity="ward", compactness=0.1))
    describe_regions(images, hierarchy.cluster, [5] * len(images))
    features_q = torch.arange(2 * 72, dtype=torch.int32).view(2, 72)
    contract([floats], features_q, Settings(2, similarity="cosine", compactness=0.1))
    contract([bytes8[:, :1, :1]], None, Settings(num_tokens=1))
    cell = torch.empty(72, dtype=torch.int64)
    seeds = torch.arange(8, dtype=torch.float64).view(4, 2)
    nearest_cells(8, 9, seeds.numpy(), 8, cell.numpy())
