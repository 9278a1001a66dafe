"""Every kernel of the fine rule, with every type that images can bring to it."""

import torch

from spitgraph.contraction.fine.cpu.batch import contract
from spitgraph.settings import Settings


def warm_up() -> None:
    """Contract small images of all kinds."""
    bytes8 = (torch.arange(3 * 8 * 9) * 37 % 256).to(torch.uint8).view(3, 8, 9)
    dark = bytes8 / 255 * 0.3  # no picture of 8 bits
    last = bytes8.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    for num_tokens in (5, 40):
        contract([bytes8, dark, last], None, Settings(num_tokens=num_tokens, quality="fine"))
    features_q = torch.arange(2 * 72, dtype=torch.int32).view(2, 72)
    contract([bytes8], features_q, Settings(num_tokens=5, quality="fine"))
