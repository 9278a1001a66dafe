"""Attention that knows how large regions are: they weigh as much as the pixels in them."""

import torch
from jaxtyping import Float
from torch import Tensor

from spitgraph.nn.sequences import TokenSequences


def log_relative_sizes(sequences: TokenSequences) -> Float[Tensor, " S"]:
    """What is added to the attention logits of each key: log(s_j / mean s), for all heads alike.

    With it, softmax(q·k_j + log s_j) is the attention that all pixels would get if each had the key
    of its region: s_j of them weigh s_j times as much as one. This is the proportional attention of
    merged tokens (Bolya et al. 2022, *Token Merging: Your ViT But Faster*, §3), where s counts
    patches.

    Sizes are relative to the arithmetic mean over the tokens of an image that are kept. Between
    tokens this changes nothing, for a softmax leaves out what all its logits share. It decides what
    a row without a size weighs, class token or register, whose logit stays as it is: as much as
    *one region of mean size*. The factors s_j / mean s of n tokens add up to n; so where all keys
    are alike, the prefix gets the share that it gets without the bias, and so it does wherever
    regions are equal, such as patches. Sizes in pixels would give a class token a 256th of that,
    where regions have so many, and a 1024th at twice the resolution. The logarithms' mean in place
    of the sizes' would leave it a share that falls as sizes differ more.

    There is no factor to be learned: what is added has no gradient, which leaves attention its
    fused kernels, and parameters stay those of a plain model.

    Args:
        sequences: The tokens of each image, and their sizes.

    Raises:
        ValueError: The sizes are not there.
    """
    sizes = sequences.sizes
    if sizes is None:
        raise ValueError("the tokens have no size, one a token, which size_bias reads")
    image = sequences.node_image
    counts = sequences.offsets.diff() - sequences.num_prefix
    # whole numbers, so that no order of adding makes a difference
    totals = sizes.new_zeros(sequences.num_images).index_add(0, image, sizes)
    dtype = torch.promote_types(sequences.x.dtype, torch.float32)
    mean = totals.to(dtype) / counts
    logs = (sizes.to(dtype) / mean.index_select(0, image)).log()
    rows = sequences.x.new_zeros(sequences.x.shape[0], dtype=dtype)
    return rows.index_copy(0, sequences.node_rows, logs)
