"""Fewer tokens in training: which ones an image keeps follows from its example's seed."""

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from spitgraph.batching import image_offsets
from spitgraph.checks import integer
from spitgraph.contraction.select import edge_priority
from spitgraph.data import TokenData

#: Seeds and places are packed into 64 bits together.
SEED_BITS = 2**31 - 1


def kept_tokens(tokens: TokenData, budget: int, seeds: Int64[Tensor, " B"]) -> Bool[Tensor, " N"]:
    """At most `budget` tokens an image, drawn without replacement (METHOD 5).

    The draw follows from each image's seed alone, not from a generator: it is the same in any
    batch, on any number of devices, and after a restart.

    Args:
        tokens: B images.
        budget: How many an image keeps.
        seeds: One an image; of each, the last 31 bits count.

    Returns:
        Which of the N tokens are kept.
    """
    budget = integer(budget, "budget")
    ptr = image_offsets(tokens, tokens.num_nodes, seeds.device)
    counts = ptr.diff()
    image = torch.arange(len(counts), device=ptr.device).repeat_interleave(counts)  # [N]
    place = torch.arange(len(image), device=ptr.device) - ptr[image]
    priority = edge_priority((seeds & SEED_BITS)[image], place)
    order = priority.argsort()
    order = order[image[order].argsort(stable=True)]  # by image, then by priority
    kept = torch.zeros(len(image), dtype=torch.bool, device=ptr.device)
    kept[order] = place < budget
    return kept
