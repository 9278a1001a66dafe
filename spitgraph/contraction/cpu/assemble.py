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
def tokens_of_pixels(
    labels: np.ndarray, token: np.ndarray, begin: int, end: int, cluster: np.ndarray
) -> None:
    """Write the tokens of the pixels in [begin, end), numbered within their image.

    Args:
        labels: [P] uint32, regions of level 1.
        token: [n] uint32, token of each of them.
        begin: First pixel.
        end: Behind the last.
        cluster: [P] int64, written.
    """
    for p in range(begin, end):
        cluster[p] = token[labels[p]]


@kernel
def finish_pixels(
    labels: np.ndarray, first: int, begin: int, end: int, parent: np.ndarray, cluster: np.ndarray
) -> None:
    """What is known of the pixels in [begin, end) once all images of the batch are contracted.

    Args:
        labels: [P] uint32, regions of level 1.
        first: First token of the image in the batch.
        begin: First pixel.
        end: Behind the last.
        parent: [P] int64, written: regions of level 1; or none.
        cluster: [P] int64, tokens, numbered over the batch from now on.
    """
    if len(parent) > 0:
        for p in range(begin, end):
            parent[p] = labels[p]
    if first > 0:
        for p in range(begin, end):
            cluster[p] += first
