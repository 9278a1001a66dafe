"""Who attends to whom: attention weights as tensors, which the fused bodies never hold."""

import torch
from jaxtyping import Float
from torch import Tensor

from spitgraph.modes import without_autocast
from spitgraph.nn.packed_attention import Packing


def attention_weights(
    q: Float[Tensor, "B heads L d"], k: Float[Tensor, "B heads L d"], mask: Tensor | None = None
) -> Float[Tensor, "B heads L L"]:
    """softmax(qkᵀ/√d + mask), row by row what each query takes from each key.

    In float32 at least, also under autocast, as the sums inside of fused attention are.

    Args:
        q: Queries.
        k: Keys.
        mask: Which keys a query sees, boolean, or what is added; [B, 1 or heads, 1 or L, L].

    Returns:
        Rows that add up to 1, zero where a mask is false or minus infinity.
    """
    dtype = torch.promote_types(q.dtype, torch.float32)
    with without_autocast(q.device):
        logits = (q.to(dtype) * q.shape[-1] ** -0.5) @ k.to(dtype).mT
        if mask is not None and mask.dtype == torch.bool:
            logits = logits.masked_fill(~mask, -torch.inf)
        elif mask is not None:
            logits = logits + mask
        return logits.softmax(dim=-1)


def packed_attention_weights(
    q: Float[Tensor, "S heads d"], k: Float[Tensor, "S heads d"], packing: Packing
) -> list[Float[Tensor, "heads _n _n"]]:
    """softmax(qkᵀ/√d + bias) of each of B packed images; see `attention_weights`.

    Args:
        q: Queries.
        k: Keys.
        packing: Where each image lies, and the biases of its pairs and keys.
    """
    counts = packing.offsets.diff().tolist() if packing.counts is None else [*packing.counts]
    groups = zip(q.split(counts), k.split(counts), _masks(packing, counts), strict=True)
    return [
        attention_weights(queries.transpose(0, 1)[None], keys.transpose(0, 1)[None], mask)[0]
        for queries, keys, mask in groups
    ]


def _masks(packing: Packing, counts: list[int]) -> list[Tensor | None]:
    """What is added to each image's logits, [1, 1 or heads, 1 or n, n]."""
    masks: list[Tensor | None] = [None] * len(counts)
    if packing.bias is not None:
        pairs = packing.bias.split([n * n for n in counts], dim=1)
        masks = [
            of_image.unflatten(1, (n, n))[None] for of_image, n in zip(pairs, counts, strict=True)
        ]
    if packing.key_bias is not None:
        keys = [of_image[None, None, None] for of_image in packing.key_bias.split(counts)]
        masks = [one if mask is None else mask + one for mask, one in zip(masks, keys, strict=True)]
    return masks
