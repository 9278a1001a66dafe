"""Pixels on borders change sides (`naive.refine`)."""

import numpy as np

from spitgraph.contraction.fine.rule import BORDER_COST, SIMPLE
from spitgraph.kernels.cpu.jit import kernel, part

_SIMPLE = np.array(SIMPLE)
_BORDER = float(BORDER_COST)
#: By `own_neighbours`, what a pixel does not pay where it is.
_SAVED = np.array([_BORDER * (own & 0b01010101).bit_count() for own in range(256)])


@part
def squared_distance(
    features_q: np.ndarray, pixel: int, mean: np.ndarray, region: int, weights: np.ndarray
) -> float:
    """‖x − μ‖² of a pixel and a region, weighted; channels added in order."""
    total = 0.0
    for c in range(len(weights)):
        step = np.float64(features_q[c, pixel]) - mean[region, c]
        total += weights[c] * (step * step)
    return total


@part
def own_neighbours(label: np.ndarray, p: int, stride: int, region: int) -> int:
    """Bit k is set where neighbour k of `rule.RING` is of the region."""
    return (
        (label[p - stride] == region)
        + 2 * (label[p - stride + 1] == region)
        + 4 * (label[p + 1] == region)
        + 8 * (label[p + stride + 1] == region)
        + 16 * (label[p + stride] == region)
        + 32 * (label[p + stride - 1] == region)
        + 64 * (label[p - 1] == region)
        + 128 * (label[p - stride - 1] == region)
    )


@part
def border_saved(label: np.ndarray, p: int, stride: int, region: int) -> float:
    """What a pixel does not pay for sides that are no border if it is of the region."""
    return _BORDER * np.float64(
        np.int64(label[p - stride] == region)
        + (label[p + 1] == region)
        + (label[p + stride] == region)
        + (label[p - 1] == region)
    )


@kernel
def border_pixels(
    label: np.ndarray, stride: int, first: int, last: int, looked_at: np.ndarray, found: np.ndarray
) -> int:
    """Every second pixel of a row, if it is looked at and touches another region; how many.

    Args:
        label: [(H + 2)·(W + 2)] int32, regions, −1 around the image.
        stride: W + 2.
        first: Place of the first such pixel.
        last: Behind the row.
        looked_at: As `label`, uint8, 1 at the pixels that are looked at.
        found: [≥ (W + 1) // 2] int32, written: their places.
    """
    count = np.uint32(0)
    for p in range(first, last, 2):
        own = label[p]
        same = (
            (label[p - stride] == own)
            & (label[p + 1] == own)
            & (label[p + stride] == own)
            & (label[p - 1] == own)
        )
        found[count] = p
        count += np.uint32(looked_at[p] & (same ^ 1))
    return np.int64(count)


@kernel
def find_moves(
    label: np.ndarray,
    height: int,
    width: int,
    phase: int,
    looked_at: np.ndarray,
    in_row: np.ndarray,
    features_q: np.ndarray,
    weights: np.ndarray,
    mean: np.ndarray,
    leaving: np.ndarray,
    joining: np.ndarray,
    moving: np.ndarray,
    target: np.ndarray,
) -> int:
    """Which pixels of a phase move, and where to; how many.

    Args:
        label: [(H + 2)·(W + 2)] int32, regions, −1 around the image.
        height: H.
        width: W.
        phase: 2·(y mod 2) + x mod 2 of the pixels.
        looked_at: As `label`, uint8, which pixels are looked at.
        in_row: [H + 2] uint8, whether any in a row may be.
        features_q: [C, H·W] int32.
        weights: [C] float64.
        mean: [n, C] float64.
        leaving: [n] float64, what a pixel's distance counts in the region that it leaves.
        joining: [n] float64, and in one that it joins.
        moving: [≥ such pixels] int32, written: places in `label`.
        target: The same for the regions.
    """
    stride = width + 2
    candidates = np.empty(width, np.int32)
    found = 0
    for y in range(phase // 2, height, 2):
        if not in_row[y + 1]:
            continue
        start = (y + 1) * stride + 1
        first = start + phase % 2
        count = border_pixels(label, stride, first, start + width, looked_at, candidates)
        for k in range(count):
            p = candidates[k]
            region = label[p]
            own = own_neighbours(label, p, stride, region)
            if not _SIMPLE[own] or leaving[region] < 0.0:
                continue
            pixel = y * width + p - start
            best = leaving[region] * squared_distance(features_q, pixel, mean, region, weights)
            best -= _SAVED[own]
            chosen = last = region
            for other in (label[p - stride], label[p + 1], label[p + stride], label[p - 1]):
                if other >= 0 and other != region and other != last:
                    last = other
                    cost = joining[other] * squared_distance(
                        features_q, pixel, mean, other, weights
                    )
                    cost -= border_saved(label, p, stride, other)
                    if cost < best:
                        best, chosen = cost, other
            if chosen != region:
                moving[found], target[found] = p, chosen
                found += 1
    return found


@kernel
def update(
    held: np.ndarray,
    channels: int,
    mean: np.ndarray,
    leaving: np.ndarray,
    joining: np.ndarray,
    r: int,
) -> None:
    """What a region's pixels are compared with, once it has changed."""
    size = np.float64(held[r, channels + 1])
    for c in range(channels):
        mean[r, c] = np.float64(held[r, c]) / size
    leaving[r] = size / (size - 1.0) if size > 1.0 else -1.0
    joining[r] = size / (size + 1.0)


@kernel
def refine(
    labels: np.ndarray,
    height: int,
    width: int,
    features_q: np.ndarray,
    weights: np.ndarray,
    square_weights: np.ndarray,
    held: np.ndarray,
    passes: int,
) -> None:
    """Let pixels change sides, in place.

    Args:
        labels: [H·W] uint32, regions; changed.
        height: H.
        width: W.
        features_q: [C, H·W] int32.
        weights: [C] int64, what each channel counts.
        square_weights: [C] int64, and in the sums of squares.
        held: [n, C + 2] int64, what regions hold, see `rounds.describe`; changed.
        passes: How many.
    """
    stride, channels, num_regions = width + 2, len(weights), len(held)
    counts = weights.astype(np.float64)
    label = np.full((height + 2) * stride, -1, np.int32)
    looked_at = np.zeros((height + 2) * stride, np.uint8)
    for y in range(height):
        at = (y + 1) * stride + 1
        for x in range(width):
            label[at + x] = labels[y * width + x]
            looked_at[at + x] = 1
    waiting = np.zeros_like(looked_at)
    in_row, row_waiting = np.ones(height + 2, np.uint8), np.zeros(height + 2, np.uint8)
    mean = np.empty((num_regions, channels))
    leaving, joining = np.empty(num_regions), np.empty(num_regions)
    for r in range(num_regions):
        update(held, channels, mean, leaving, joining, r)
    most = ((height + 1) // 2) * ((width + 1) // 2)
    moving, target = np.empty(most, np.int32), np.empty(most, np.int32)
    for _ in range(passes):
        moved = 0
        for phase in range(4):
            count = find_moves(
                label,
                height,
                width,
                phase,
                looked_at,
                in_row,
                features_q,
                counts,
                mean,
                leaving,
                joining,
                moving,
                target,
            )
            moved += count
            for k in range(count):
                p, to = np.int64(moving[k]), target[k]
                source = label[p]
                row = p // stride
                pixel = (row - 1) * width + p - row * stride - 1
                square = 0
                for c in range(channels):
                    value = np.int64(features_q[c, pixel])
                    held[source, c] -= value
                    held[to, c] += value
                    square += square_weights[c] * value * value
                held[source, channels] -= square
                held[to, channels] += square
                held[source, channels + 1] -= 1
                held[to, channels + 1] += 1
                label[p] = to
                labels[pixel] = to
                moving[k] = source
                for y in range(row - 1, row + 2):
                    in_row[y] = row_waiting[y] = 1
                    for q in range(p - 1 + (y - row) * stride, p + 2 + (y - row) * stride):
                        looked_at[q] = waiting[q] = 1
            for k in range(count):
                update(held, channels, mean, leaving, joining, moving[k])
                update(held, channels, mean, leaving, joining, target[k])
        if moved == 0:
            break
        looked_at, waiting = waiting, looked_at
        in_row, row_waiting = row_waiting, in_row
        waiting[:] = 0
        row_waiting[:] = 0
