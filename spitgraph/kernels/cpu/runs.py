"""The pixels of every region as runs within a row: fewer than pixels, and read in order."""

import numpy as np

from spitgraph.kernels.cpu.threads import kernel


@kernel
def count_runs(cluster: np.ndarray, width: int, first: int, after: np.ndarray) -> bool:
    """Count each region's runs; whether all regions are within range.

    Args:
        cluster: Region of each pixel [HW], numbered from `first`.
        width: W.
        first: Number of the image's first region.
        after: [N + 1] int64 zeros; entry n + 1 becomes the runs of the regions 0 … n.
    """
    num_regions = len(after) - 1
    for row in range(0, len(cluster), width):
        previous = -1
        for pixel in range(row, row + width):
            region = cluster[pixel] - first
            if region != previous:
                if region < 0 or region >= num_regions:
                    return False
                after[region + 1] += 1
                previous = region
    for n in range(num_regions):
        after[n + 1] += after[n]
    return True


@kernel
def sort_runs(
    cluster: np.ndarray,
    width: int,
    first: int,
    after: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
) -> None:
    """First pixel and the one after the last of every run, sorted by region, then by position.

    Args:
        cluster: Region of each pixel [HW], numbered from `first`.
        width: W.
        first: Number of the image's first region.
        after: [N] int64, each region's first slot; becomes the slot after its last.
        start: [R] int32, filled.
        stop: [R] int32, filled.
    """
    for row in range(0, len(cluster), width):
        region = cluster[row] - first
        slot = after[region]
        start[slot] = row
        for pixel in range(row + 1, row + width):
            following = cluster[pixel] - first
            if following != region:
                stop[slot] = pixel
                after[region] = slot + 1
                region = following
                slot = after[region]
                start[slot] = pixel
        stop[slot] = row + width
        after[region] = slot + 1
