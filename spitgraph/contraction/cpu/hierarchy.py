"""The hierarchy of an image, level by level, in one compiled call (METHOD 2.6, 2.7).

Each step of a level works on chunks, of rows of pixels and then of consecutive regions, one after
the other or side by side (see `team`). Only what joins two chunks is left to one thread.
"""

import numpy as np

from spitgraph.contraction.cpu.leader import (
    cut_edges,
    join_trees,
    join_trees_of_pixels,
    pool_regions_left_over,
    pool_trees_left_over,
    weigh_leaving_edges,
)
from spitgraph.contraction.cpu.phases import (
    CHOOSE,
    COUNT_CHOSEN,
    FIND_STRONGEST,
    FIND_TREES,
    GROW,
    GROW_CUT,
    LIST_EDGES,
    MERGE_EDGES,
    POOL_REGIONS,
    POOL_TREES,
    work_on,
)
from spitgraph.contraction.cpu.select import choose_by_force, keep_strongest
from spitgraph.contraction.cpu.weights import size_moments
from spitgraph.contraction.cpu.work import EDGES, TREES, Image, Work
from spitgraph.kernels.cpu.jit import kernel, part
from spitgraph.kernels.cpu.team import HOME, await_all, finish_chunk, next_chunk, open_phase


@kernel
def contract_image(
    worker: int, image: Image, work: Work, labels: np.ndarray, levels: int, num_regions: int
) -> tuple[np.ndarray, np.ndarray]:
    """The hierarchy of one image: what worker 0 does, and others as far as they come along.

    Args:
        worker: Which of the threads that do this at the same time.
        image: The image.
        work: Working memory.
        labels: [H·W] uint32, region of level 1 of each pixel, written.
        levels: Contraction steps T, if `num_regions` is 0.
        num_regions: Exact count of regions to stop at.

    Returns:
        Parent maps of the levels from 1 on, one after the other, uint32; and how many regions each
        level has, from 0 to the last, int64. Of other workers than 0, nothing.
    """
    upper = np.empty(len(work.label) if worker == 0 else 0, np.uint32)
    counts = np.empty(8, np.int64)
    if worker > 0:
        assist(worker, image, work, labels)
        return upper, counts
    count = counts[0] = image.height * image.width
    written = level = 0
    while (count > num_regions) if num_regions > 0 else (level < levels):
        work.level[0] = level
        if level == 0:
            merged = first_level(worker, image, work, labels, num_regions)
        else:
            merged = next_level(worker, image, work, labels, count, num_regions)
        if merged > num_regions if num_regions > 0 else level + 1 < levels:
            if level == 0:
                run(LIST_EDGES, worker, image, work, labels)
            else:
                run(POOL_REGIONS, worker, image, work, labels)
                pool_regions_left_over(work)
                run(MERGE_EDGES, worker, image, work, labels)
        if level > 0:
            if written + count > len(upper):
                upper = np.concatenate((upper, np.empty(len(upper) + count, np.uint32)))
            upper[written : written + count] = work.label[:count]
            written += count
        level += 1
        count = merged
        if level == len(counts):
            counts = np.concatenate((counts, np.empty(level, np.int64)))
        counts[level] = count
        work.first_region[:] = work.first_cluster
    return upper[:written], counts[: level + 1]


@part
def assist(worker: int, image: Image, work: Work, labels: np.ndarray) -> None:
    """What further threads do: take chunks of whatever phase is open, until all is done."""
    chunks = len(work.trees_found)
    phase = 0
    while phase != HOME:
        phase, chunk = next_chunk(work.board, chunks)
        if chunk >= 0 and phase != HOME:
            work_on(phase, chunk, worker, image, work, labels)
            finish_chunk(work.board)


@part
def run(phase: int, worker: int, image: Image, work: Work, labels: np.ndarray) -> None:
    """The leader: one phase over all chunks."""
    chunks = len(work.trees_found)
    open_phase(work.board, phase)
    chunk = 0
    while chunk >= 0:
        _, chunk = next_chunk(work.board, chunks)
        if chunk >= 0:
            work_on(phase, chunk, worker, image, work, labels)
            finish_chunk(work.board)
    await_all(work.board, chunks)


@part
def first_level(worker: int, image: Image, work: Work, labels: np.ndarray, num_regions: int) -> int:
    """From pixels to regions; how many there are."""
    chunks = len(work.trees_found)
    rows = -(-image.height // chunks)
    for c in range(chunks + 1):
        work.first_region[c] = min(c * rows, image.height) * image.width
    work.board[TREES] = work.board[EDGES] = 0
    run(GROW, worker, image, work, labels)
    merged = join_trees_of_pixels(work, labels)
    if merged < num_regions:
        cut_edges(image, work.cut, num_regions)
        work.board[TREES] = 0
        run(GROW_CUT, worker, image, work, labels)
        merged = join_trees_of_pixels(work, labels)
    if chunks > 1:
        run(POOL_TREES, worker, image, work, labels)
        pool_trees_left_over(work)
    return merged


@part
def next_level(
    worker: int, image: Image, work: Work, labels: np.ndarray, count: int, num_regions: int
) -> int:
    """From `count` regions to those of the next level; how many there are."""
    run(FIND_STRONGEST, worker, image, work, labels)
    weigh_leaving_edges(image, work)
    num_pixels = image.height * image.width
    work.moments[:] = size_moments(num_pixels, work.squared_sizes.sum(), count)
    run(CHOOSE, worker, image, work, labels)
    if num_regions > 0:
        if 2 * work.merging.sum() < count:  # so that every level makes headway
            choose_by_force(work.best, work.nearest, work.neighbour, count)
        run(COUNT_CHOSEN, worker, image, work, labels)
        if work.edges_chosen.sum() > count - num_regions:
            keep_strongest(work.best[:count], work.neighbour, count - num_regions)
    run(FIND_TREES, worker, image, work, labels)
    return join_trees(work)
