"""From an image's compact maps to the tensors that tokens hold."""

import numpy as np

from spitgraph.kernels.cpu.threads import kernel


@kernel
def token_of_region(deep: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Token of each region of level 1, from the parent maps of the levels above, one by one."""
    token = np.arange(counts[1] if len(counts) > 1 else counts[0]).astype(np.uint32)
    begin = 0
    for level in range(1, len(counts) - 1):
        parent = deep[begin : begin + counts[level]]
        for r in range(len(token)):
            token[r] = parent[token[r]]
        begin += counts[level]
    return token


@kernel
def finish_pixels(
    labels: np.ndarray,
    token: np.ndarray,
    first: int,
    begin: int,
    end: int,
    parent: np.ndarray,
    cluster: np.ndarray,
) -> None:
    """Write region of level 1 and token of the pixels in [begin, end).

    Args:
        labels: [P] uint32, regions of level 1.
        token: [n] uint32, token of each of them.
        first: First token of the image in the batch.
        begin: First pixel.
        end: Behind the last.
        parent: [P] int64, written: regions; or none.
        cluster: [P] int64, written: tokens.
    """
    if len(parent) > 0:
        for p in range(begin, end):
            parent[p] = labels[p]
    for p in range(begin, end):
        cluster[p] = first + np.int64(token[labels[p]])


@kernel
def interleave(image: np.ndarray, pixels: np.ndarray, begin: int, end: int) -> None:
    """Channels [3, n] → pixels [n, 3], for the pixels in [begin, end)."""
    red, green, blue = image[0], image[1], image[2]
    for p in range(begin, end):
        pixels[p, 0] = red[p]
        pixels[p, 1] = green[p]
        pixels[p, 2] = blue[p]
