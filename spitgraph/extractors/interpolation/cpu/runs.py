"""The pixels of every region, and runs of them within a row, of which there are fewer."""

import numpy as np

from spitgraph.kernels.cpu.jit import kernel


@kernel
def find_runs(
    cluster: np.ndarray,
    width: int,
    first: int,
    num_regions: int,
    region: np.ndarray,
    begin: np.ndarray,
) -> int:
    """Number of runs, and where they begin, row by row; −1 if a region is out of range.

    Args:
        cluster: Region of each pixel [HW], numbered from `first`.
        width: W.
        first: Number of the image's first region.
        num_regions: N.
        region: [HW] int32, filled: region of each pixel, numbered from 0.
        begin: [HW + 1] int32, of which the runs' first pixels are filled, and one more: HW.
    """
    count = np.uint64(0)
    largest = np.uint64(0)
    for row in range(0, len(cluster), width):
        numbers, numbered = cluster[row : row + width], region[row : row + width]
        for x in range(width):
            number = numbers[x] - first
            largest = max(largest, np.uint64(number))
            numbered[x] = number
        previous = np.int32(-1)
        for x in range(width):
            begin[count] = row + x
            count += np.uint64(numbered[x] != previous)
            previous = numbered[x]
    begin[count] = len(cluster)
    return np.int64(count) if largest < np.uint64(num_regions) else -1


@kernel
def sort_runs(
    region: np.ndarray,
    begin: np.ndarray,
    first_run: np.ndarray,
    first_pixel: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
) -> None:
    """Sort runs by region, then by position.

    Args:
        region: [HW] int32, region of each pixel.
        begin: [R + 1], first pixel of every run, and the number of pixels.
        first_run: [N + 1] int64 zeros; become the runs of all smaller regions.
        first_pixel: [N + 1] int64 zeros; become the pixels of all smaller regions.
        start: [R] int32, filled: first pixel.
        stop: [R] int32, filled: pixel after the last.
    """
    for r in range(len(start)):
        n = region[begin[r]]
        first_run[n + 1] += 1
        first_pixel[n + 1] += begin[r + 1] - begin[r]
    for n in range(1, len(first_run)):
        first_run[n] += first_run[n - 1]
        first_pixel[n] += first_pixel[n - 1]
    after = first_run[:-1].copy()
    for r in range(len(start)):
        n = region[begin[r]]
        start[after[n]], stop[after[n]] = begin[r], begin[r + 1]
        after[n] += 1


@kernel
def sort_pixels(region: np.ndarray, first_pixel: np.ndarray, place: np.ndarray) -> None:
    """Where each pixel comes when they are sorted by region, then by position.

    Args:
        region: [HW] int32, region of each pixel.
        first_pixel: [N + 1] int64, pixels of all smaller regions.
        place: [HW] int32, filled.
    """
    following = first_pixel.astype(np.int32)
    for pixel in range(len(region)):
        n = np.uint32(region[pixel])
        place[pixel] = following[n]
        following[n] += 1
