"""Every kernel of the extractor, with every type that tokens can bring to it."""

import torch

from spitgraph.extractors.interpolation.cpu.vectors import token_vectors


def warm_up() -> None:
    """Describe two tokens, the halves of a small image, in all ways."""
    height, width = 4, 6
    pixels = torch.linspace(0, 1, 3 * height * width).view(-1, 3)
    cluster = (torch.arange(height * width) % width >= width // 2).long()
    size = cluster.bincount()
    bbox = torch.tensor([[0, 0, 3, 4], [3, 0, 6, 4]])
    normal = [0.5] * 3, [0.25] * 3
    for gradient, mode, statistics in ((True, "bilinear", ()), (False, "nearest", normal)):
        sizes = [height], [width], [2]
        token_vectors(pixels, cluster, size, bbox, *sizes, 5, 0.05, gradient, mode, *statistics)
