"""From an image's compact maps to the tensors that tokens hold."""

import numpy as np

from spitgraph.kernels.cpu.threads import kernel


@kernel
def token_of_region(deep: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Token of each region of level 1, from the parent maps of the levels above, one by one."""
    token = np.arange(counts[1] if len(counts) > 1 else counts[0])
    begin = 0
    for level in range(1, len(counts) - 1):
        for r in range(len(token)):
            token[r] = deep[begin + token[r]]
        begin += counts[level]
    return token


@kernel
def follow(
    labels: np.ndarray, token: np.ndarray, cluster: np.ndarray, begin: int, end: int
) -> None:
    """Token of each pixel in [begin, end), from its region of level 1."""
    for p in range(begin, end):
        cluster[p] = token[labels[p]]


@kernel
def finish_pixels(
    labels: np.ndarray,
    parent: np.ndarray,
    cluster: np.ndarray,
    first: int,
    begin: int,
    end: int,
) -> None:
    """Write the regions of level 1 of the pixels in [begin, end); add `first` to their tokens."""
    for p in range(begin, end):
        parent[p] = labels[p]
        cluster[p] += first


@kernel
def interleave(image: np.ndarray, pixels: np.ndarray, begin: int, end: int) -> None:
    """Channels [3, n] → pixels [n, 3], for the pixels in [begin, end)."""
    red, green, blue = image[0], image[1], image[2]
    for p in range(begin, end):
        pixels[p, 0] = red[p]
        pixels[p, 1] = green[p]
        pixels[p, 2] = blue[p]
