"""Every kernel of the contraction, with every type that images can bring to it."""

import torch

from spitgraph.contraction.cpu.batch import contract
from spitgraph.settings import Settings


def warm_up() -> None:
    """Contract small images of all kinds."""
    bytes8 = (torch.arange(3 * 8 * 9) * 37 % 256).to(torch.uint8).view(3, 8, 9)
    floats = bytes8 / 255
    dark = floats * 0.3  # no picture of 8 bits
    images = [bytes8, floats, dark]
    images += [image.permute(1, 2, 0).contiguous().permute(2, 0, 1) for image in images]
    for image in images:
        contract([image], None, Settings(2))
    contract(images, None, Settings(num_tokens=5, similarity="ward", compactness=0.1))
    features_q = torch.arange(2 * 72, dtype=torch.int32).view(2, 72)
    contract([floats], features_q, Settings(2, similarity="cosine", compactness=0.1))
    contract([bytes8[:, :1, :1]], None, Settings(num_tokens=1))
