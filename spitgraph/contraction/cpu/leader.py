"""What one thread does between two phases: it joins the chunks.

Few trees, regions and edges reach from one chunk to another. Where there is one chunk, none do.
"""

import numpy as np

from spitgraph.contraction.cpu.grid import choose_directions, neighbour_offset
from spitgraph.contraction.cpu.phases import (
    ZERO,
    chunk_features,
    current,
    following,
    means,
    totals_of_trees,
)
from spitgraph.contraction.cpu.reduce import pool_listed
from spitgraph.contraction.cpu.select import (
    keep_strongest,
    strongest_edges,
    unite_across_chunks,
)
from spitgraph.contraction.cpu.trees import number_united, relabel, unite_across_rows
from spitgraph.contraction.cpu.work import Image, Work
from spitgraph.kernels.cpu.jit import kernel, part


@kernel
def join_trees_of_pixels(work: Work, labels: np.ndarray) -> int:
    """Number the trees over all chunks, joined where they touch; how many there are."""
    chunks = count_trees(work)
    if chunks > 1:
        tree_number = work.tree_number[: work.trees_before[chunks]]
        unite_across_rows(work.border, work.first_region, work.trees_before, labels, tree_number)
        for c in range(chunks):
            number_trees_of(c, work)
    return work.first_cluster[chunks]


@kernel
def join_trees(work: Work) -> int:
    """The same for trees of regions, whose labels become final."""
    chunks = count_trees(work)
    if chunks > 1:
        trees, bound = work.trees_before, work.first_region
        unite_across_chunks(
            work.crossing,
            work.pointers_crossing,
            bound,
            trees,
            work.label,
            work.tree_number[: trees[chunks]],
        )
        for c in range(chunks):
            number_trees_of(c, work)
            relabel(work.label[bound[c] : bound[c + 1]], work.tree_number[trees[c] :])
    return work.first_cluster[chunks]


@part
def count_trees(work: Work) -> int:
    """Write `trees_before` and, as if none touched, `first_cluster`; how many chunks there are."""
    chunks = len(work.trees_found)
    work.trees_before[0] = work.first_cluster[0] = 0
    for c in range(chunks):
        work.trees_before[c + 1] = work.trees_before[c] + work.trees_found[c]
        work.first_cluster[c + 1] = work.trees_before[c + 1]
    return chunks


@part
def number_trees_of(chunk: int, work: Work) -> None:
    """Final numbers of a chunk's trees, when all are united."""
    work.first_cluster[chunk + 1] = number_united(
        work.tree_number,
        work.trees_before[chunk],
        work.trees_before[chunk + 1],
        work.first_cluster[chunk],
    )


@kernel
def pool_trees_left_over(work: Work) -> None:
    """Trees of clusters that begin in an earlier chunk."""
    pooled = following(work)
    for c in range(len(work.regions_left)):
        first = work.trees_before[c]
        listed = work.left_over[first : first + work.regions_left[c]]
        pool_listed(listed, work.tree_number[first:], totals_of_trees(c, work), pooled)


@kernel
def pool_regions_left_over(work: Work) -> None:
    """Regions of clusters that begin in an earlier chunk."""
    totals, pooled = current(work), following(work)
    for c in range(len(work.regions_left)):
        first = work.first_region[c]
        listed = work.left_over[first : first + work.regions_left[c]]
        pool_listed(listed, work.label, totals, pooled)


@kernel
def weigh_leaving_edges(image: Image, work: Work) -> None:
    """Edges between two chunks."""
    count = work.edges_leaving.sum()
    u, v = np.empty(count, np.uint32), np.empty(count, np.uint32)
    k = 0
    for c in range(len(work.edges_leaving)):
        for i in range(work.edges_at[c], work.edges_at[c] + work.edges_leaving[c]):
            e = work.edges_at[c] + work.leaving[i]
            u[k], v[k] = work.u[e], work.v[e]
            k += 1
    _, size, box = current(work)
    strongest_edges(
        ZERO,
        len(work.neighbour),
        image.code,
        image.compactness,
        u,
        v,
        means(work),
        size,
        box,
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
    memory = np.empty((3, pixels if len(image.bytes8) > 0 else 0), np.int32)
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
