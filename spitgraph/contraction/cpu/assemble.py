"""From an image's compact maps to the tensors that tokens hold."""

import numpy as np

from spitgraph.kernels.cpu.jit import kernel


@kernel
def token_of_region(deep: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Token of each region of level 1, from the parent maps of the levels above, last to first."""
    token = np.empty(counts[-1], np.uint32)
    for t in range(len(token)):
        token[t] = t
    end = len(deep)
    for level in range(len(counts) - 2, 0, -1):
        parent = deep[end - counts[level] : end]
        end -= counts[level]
        below = np.empty(len(parent), np.uint32)
        for r in range(len(parent)):
            below[r] = token[parent[r]]
        token = below
    return token


@kernel
def finish_pixels(
    labels: np.ndarray, token: np.ndarray, first: int, parent: np.ndarray, cluster: np.ndarray
) -> None:
    """What is known of some pixels once all images of the batch are contracted.

    Args:
        labels: [k] uint32, their regions of level 1.
        token: [n] uint32, token of each region, numbered within the image.
        first: First token of the image in the batch.
        parent: [k] int64, written: regions of level 1; or none.
        cluster: [k] int64, written: tokens, numbered over the batch.
    """
    if len(parent) == 0:
        for p in range(len(labels)):
            cluster[p] = first + np.int64(token[labels[p]])
    else:  # in one loop: labels are read once
        for p in range(len(labels)):
            parent[p] = labels[p]
            cluster[p] = first + np.int64(token[labels[p]])
