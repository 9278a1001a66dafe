"""Every kernel of the contraction, with every type that images can bring to it."""

import torch

from spitgraph.contraction.cpu.batch import superpixels


def warm_up() -> None:
    """Contract small images of all kinds."""
    bytes8 = (torch.arange(3 * 8 * 9) * 37 % 256).to(torch.uint8).view(3, 8, 9)
    floats = bytes8 / 255
    dark = floats * 0.3  # no picture of 8 bits
    images = [bytes8, floats, dark]
    images += [image.permute(1, 2, 0).contiguous().permute(2, 0, 1) for image in images]
    for image in images:
        superpixels([image], None, 2, 0, "distance", 0.0)
    superpixels(images, None, 0, 5, "ward", 0.1)
    features = torch.arange(2 * 72, dtype=torch.int32).view(2, 72)
    superpixels([floats], features, 2, 0, "cosine", 0.1)
    superpixels([bytes8[:, :1, :1]], None, 0, 0, "distance", 0.0)
