"""What one thread does between two phases: it joins the chunks.

Few trees, regions and edges reach from one chunk to another. Where there is one chunk, none do.
"""

import numpy as np

from spitgraph.contraction.cpu.grid import choose_directions, neighbour_offset
from spitgraph.contraction.cpu.phases import (
    CHOOSE,
    COUNT_CHOSEN,
    FIND_STRONGEST,
    FIND_TREES,
    GROW,
    GROW_CUT,
    POOL_REGIONS,
    POOL_TREES,
    ZERO,
    chunk_features,
    is_lab,
    means,
    totals_from,
)
from spitgraph.contraction.cpu.reduce import Totals, pool_listed
from spitgraph.contraction.cpu.select import (
    choose_by_force,
    keep_strongest,
    strongest_edges,
    unite_across_chunks,
)
from spitgraph.contraction.cpu.trees import number_united, relabel, unite_across_rows
from spitgraph.contraction.cpu.weights import size_moments
from spitgraph.contraction.cpu.work import EDGES, TREES, Image, Work
from spitgraph.kernels.cpu.jit import kernel, part


@part
def divide_pixels(image: Image, work: Work) -> None:
    """Chunks of rows; no trees or edges are found yet."""
    chunks = len(work.trees_found)
    rows = -(-image.height // chunks)
    for c in range(chunks + 1):
        work.first_region[c] = min(c * rows, image.height) * image.width
    work.board[TREES] = work.board[EDGES] = work.level[0] = 0


@part
def conclude(
    phase: int,
    image: Image,
    work: Work,
    labels: np.ndarray,
    now: Totals,
    later: Totals,
    num_regions: int,
) -> None:
    """What is left to do when all chunks of a phase are done; see `phases.work_on`."""
    count = work.first_region[len(work.trees_found)]
    if phase in (GROW, GROW_CUT, FIND_TREES):
        merged = join_trees(work, labels)
        if phase == GROW and merged < num_regions:
            cut_edges(image, work.cut, num_regions)
            work.board[TREES] = 0
    elif phase == POOL_TREES:
        pool_trees_left_over(work, now, later)
    elif phase == FIND_STRONGEST:
        weigh_leaving_edges(image, work, now, means(later))
        squares = total(work.squared_sizes)
        work.moments[0], work.moments[1] = size_moments(len(labels), squares, count)
    elif phase == CHOOSE:
        if 2 * total(work.merging) < count and num_regions > 0:
            # so that every level makes headway
            choose_by_force(work.best, work.nearest, work.neighbour, count)
    elif phase == COUNT_CHOSEN:
        if total(work.edges_chosen) > count - num_regions:
            keep_strongest(work.best[:count], work.neighbour, count - num_regions)
    elif phase == POOL_REGIONS:
        pool_regions_left_over(work, now, later)


@part
def join_trees(work: Work, labels: np.ndarray) -> int:
    """Number the trees over all chunks, joined where they touch; how many there are.

    The labels of regions become final, those of pixels do when their trees are pooled.
    """
    chunks = len(work.trees_found)
    trees, bound, cluster = work.trees_before, work.first_region, work.first_cluster
    trees[0] = cluster[0] = 0
    for c in range(chunks):  # as if none touched
        trees[c + 1] = cluster[c + 1] = trees[c] + work.trees_found[c]
    if chunks > 1:
        tree_number = work.tree_number[: trees[chunks]]
        if work.level[0] == 0:
            unite_across_rows(work.border, bound, trees, labels, tree_number)
        else:
            crossing, num_crossing = work.crossing, work.pointers_crossing
            unite_across_chunks(crossing, num_crossing, bound, trees, work.label, tree_number)
        for c in range(chunks):
            cluster[c + 1] = number_united(tree_number, trees[c], trees[c + 1], cluster[c])
            if work.level[0] > 0:
                relabel(work.label[bound[c] : bound[c + 1]], tree_number[trees[c] :])
    return cluster[chunks]


@part
def pool_trees_left_over(work: Work, now: Totals, later: Totals) -> None:
    """Trees of clusters that begin in an earlier chunk."""
    for c in range(len(work.regions_left)):
        first = work.trees_before[c]
        listed = work.left_over[first : first + work.regions_left[c]]
        pool_listed(listed, work.tree_number[first:], totals_from(work.totals_at[c], now), later)


@part
def pool_regions_left_over(work: Work, now: Totals, later: Totals) -> None:
    """Regions of clusters that begin in an earlier chunk."""
    for c in range(len(work.regions_left)):
        first = work.first_region[c]
        listed = work.left_over[first : first + work.regions_left[c]]
        pool_listed(listed, work.label, now, later)


@part
def weigh_leaving_edges(image: Image, work: Work, now: Totals, mean: np.ndarray) -> None:
    """Edges between two chunks."""
    count = total(work.edges_leaving)
    u, v = np.empty(count, np.uint32), np.empty(count, np.uint32)
    k = 0
    for c in range(len(work.edges_leaving)):
        for i in range(work.edges_at[c], work.edges_at[c] + work.edges_leaving[c]):
            e = work.edges_at[c] + work.leaving[i]
            u[k], v[k] = work.u[e], work.v[e]
            k += 1
    strongest_edges(
        ZERO,
        len(work.neighbour),
        image.code,
        image.compactness,
        u,
        v,
        mean,
        now.size,
        now.box,
        work.best,
        work.nearest,
        work.leaving[:0],
    )


@kernel
def cut_edges(image: Image, direction: np.ndarray, num_regions: int) -> None:
    """Directions of all pixels along so many of the strongest edges as leave `num_regions` trees.

    Args:
        image: The image.
        direction: [H·W] uint8, written.
        num_regions: At most as many as there are pixels.
    """
    pixels = image.height * image.width
    memory = np.empty((3, pixels if is_lab(image) else 0), np.int32)
    features_q, origin = chunk_features(image, ZERO, pixels, memory)
    weight = np.empty(pixels)
    choose_directions(
        features_q,
        origin,
        image.height,
        image.width,
        image.code,
        image.compactness,
        ZERO,
        pixels,
        direction,
        weight,
    )
    neighbour = np.empty(pixels, np.uint32)
    for p in range(pixels):
        neighbour[p] = p + neighbour_offset(direction[p], image.width)
    keep_strongest(weight, neighbour, pixels - num_regions)
    for p in range(pixels):
        if neighbour[p] == p:
            direction[p] = 0


@kernel
def total(values: np.ndarray) -> int:
    """Sum of what was counted in the chunks."""
    count = 0
    for c in range(len(values)):
        count += values[c]
    return count
