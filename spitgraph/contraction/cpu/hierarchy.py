"""The hierarchy of an image, level by level, in one compiled call (METHOD 2.6, 2.7).

Each step of a level is a phase, of chunks of rows of pixels and then of consecutive regions, which
are worked on one after the other or side by side (see `team`). Only what joins two chunks is left
to one thread, the leader, between two phases.

What becomes part of `contract_image` stands there in one place, since it is compiled once a place.
"""

import numpy as np

from spitgraph.contraction.cpu.leader import conclude, divide_pixels
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
    ZERO,
    totals_of_level,
    work_on,
)
from spitgraph.contraction.cpu.work import Image, Memory, arrays_of
from spitgraph.kernels.cpu.jit import kernel, part
from spitgraph.kernels.cpu.team import HOME, await_all, finish_chunk, next_chunk, open_phase

#: In place of a phase: a level ends.
END_OF_LEVEL = ZERO


@kernel
def contract_image(
    worker: int, image: Image, memory: Memory, labels: np.ndarray, levels: int, num_regions: int
) -> tuple[np.ndarray, np.ndarray]:
    """The hierarchy of one image: what worker 0 does, and others as far as they come along.

    All take chunks of whatever phase is open. When none are left, worker 0 opens the next phase.

    Args:
        worker: Which of the threads that do this at the same time.
        image: The image.
        memory: Where the working memory lies.
        labels: [H·W] uint32, region of level 1 of each pixel, written.
        levels: Contraction steps T, if `num_regions` is 0.
        num_regions: Exact count of regions to stop at.

    Returns:
        Parent maps of the levels from 1 on, one after the other, uint32; and how many regions each
        level has, from 0 to the last, int64. Of other workers than 0, nothing.
    """
    work = arrays_of(memory.dense, memory.sparse, memory.layout)
    upper = np.empty(len(work.label) if worker == 0 else 0, np.uint32)
    counts = np.empty(8, np.int64)
    counts[0] = image.height * image.width
    chunks = len(work.trees_found)
    written = level = 0
    phase = GROW
    if worker == 0:
        divide_pixels(image, work)
        if not goes_on(level, counts[0], levels, num_regions):
            phase = np.int64(HOME)
        open_phase(work.board, phase)
    while phase != HOME:
        phase, chunk = next_chunk(work.board, chunks)
        now = totals_of_level(work.level[0], work)
        later = totals_of_level(work.level[0] + 1, work)
        if chunk >= 0 and phase != HOME:
            work_on(phase, chunk, worker, image, work, labels, now, later)
            finish_chunk(work.board)
        elif worker == 0:
            await_all(work.board, chunks)
            conclude(phase, image, work, labels, now, later, num_regions)
            merged = work.first_cluster[chunks]
            is_last = not goes_on(level + 1, merged, levels, num_regions)
            phase = next_phase(phase, chunks, merged, num_regions, is_last)
            if phase == END_OF_LEVEL:
                if level > 0:
                    upper = with_room(upper, written, counts[level])
                    for region in range(counts[level]):
                        upper[written + region] = work.label[region]
                    written += counts[level]
                level += 1
                counts = with_room(counts, level, 1)
                counts[level] = merged
                for c in range(chunks + 1):
                    work.first_region[c] = work.first_cluster[c]
                work.level[0] = level
                phase = np.int64(HOME) if is_last else FIND_STRONGEST
            open_phase(work.board, phase)
    return upper[:written], counts[: level + 1]


@part
def goes_on(level: int, count: int, levels: int, num_regions: int) -> bool:
    """Whether `count` regions of a level are to be contracted."""
    return count > num_regions if num_regions > 0 else level < levels


@kernel
def next_phase(phase: int, chunks: int, merged: int, num_regions: int, is_last: bool) -> int:
    """The phase after another.

    Args:
        phase: The other.
        chunks: How many chunks there are.
        merged: Regions of the next level, once trees are found.
        num_regions: Exact count to stop at, or 0.
        is_last: Whether the next level is the last, which needs no edges.
    """
    if phase == GROW and merged < num_regions:
        return GROW_CUT
    if phase <= GROW_CUT and chunks > 1:
        return POOL_TREES
    if phase <= POOL_TREES and not is_last:
        return LIST_EDGES
    if phase == FIND_STRONGEST:
        return CHOOSE
    if phase == CHOOSE and num_regions > 0:
        return COUNT_CHOSEN
    if phase in (CHOOSE, COUNT_CHOSEN):
        return FIND_TREES
    if phase == FIND_TREES and not is_last:
        return POOL_REGIONS
    if phase == POOL_REGIONS:
        return MERGE_EDGES
    return END_OF_LEVEL


@part
def with_room(values: np.ndarray, used: int, more: int) -> np.ndarray:
    """The same array, or a longer one that begins like it, with room for `more` values."""
    if used + more <= len(values):
        return values
    longer = np.empty(2 * len(values) + more, values.dtype)
    for k in range(used):
        longer[k] = values[k]
    return longer
