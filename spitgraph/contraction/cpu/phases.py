"""What is done to one chunk of an image, phase by phase of a level.

A phase reads what earlier ones wrote of any chunk, and writes only what belongs to its own chunk;
what it finds it counts there. What joins two chunks is left to the `leader`.
"""

import numpy as np

from spitgraph.contraction.cpu.colour import quantised_lab_of_bytes, quantised_lab_of_floats
from spitgraph.contraction.cpu.connect import connect_pixels, merge_edges
from spitgraph.contraction.cpu.distances import choose_nearest, distances_serve
from spitgraph.contraction.cpu.grid import choose_directions
from spitgraph.contraction.cpu.reduce import (
    Totals,
    clear,
    copy_totals,
    mean_features,
    pool_pixels,
    pool_regions,
    sum_of_squares,
)
from spitgraph.contraction.cpu.select import (
    choose,
    count_chosen_edges,
    find_roots,
    number_by_first,
    strongest_edges,
)
from spitgraph.contraction.cpu.trees import grow_trees, relabel
from spitgraph.contraction.cpu.weights import NO_EDGE
from spitgraph.contraction.cpu.work import EDGES, TREES, Image, Work
from spitgraph.kernels.cpu.jit import kernel, part
from spitgraph.kernels.cpu.team import fetch_add

#: The phases. Numbers with a type, not constants, for each of which Numba would compile a callee
#: once more.
GROW, GROW_CUT, POOL_TREES, LIST_EDGES = (np.int64(phase) for phase in range(1, 5))
FIND_STRONGEST, CHOOSE, COUNT_CHOSEN = (np.int64(phase) for phase in range(5, 8))
FIND_TREES, POOL_REGIONS, MERGE_EDGES = (np.int64(phase) for phase in range(8, 11))
ZERO = np.int64(0)


@part
def work_on(
    phase: int,
    chunk: int,
    worker: int,
    image: Image,
    work: Work,
    labels: np.ndarray,
    now: Totals,
    later: Totals,
) -> None:
    """One chunk of one phase.

    Args:
        phase: Which.
        chunk: Which.
        worker: The thread.
        image: The image.
        work: Working memory.
        labels: [H·W] uint32, region of level 1 of each pixel.
        now: What the regions of this level hold.
        later: What those of the next hold.
    """
    begin, end = work.first_region[chunk], work.first_region[chunk + 1]
    if phase in (GROW, GROW_CUT):
        is_cut = phase == GROW_CUT
        grow(chunk, worker, image, work, labels, now, later, begin, end, is_cut)
    elif phase == POOL_TREES:
        pool_trees(chunk, work, labels[begin:end], now, later)
    elif phase == LIST_EDGES:
        list_edges(chunk, worker, image.width, work, labels, begin, end)
    elif phase == FIND_STRONGEST:
        find_strongest(chunk, image, work, now, means(later), begin, end)
    elif phase == CHOOSE:
        work.merging[chunk] = choose(
            begin,
            end,
            image.compactness,
            work.moments,
            now.size,
            now.box,
            work.best,
            work.nearest,
            work.neighbour,
        )
    elif phase == COUNT_CHOSEN:
        work.edges_chosen[chunk] = count_chosen_edges(begin, end, work.neighbour)
    elif phase == FIND_TREES:
        crossing = work.crossing[:, begin:end]
        work.pointers_crossing[chunk] = find_roots(begin, end, work.neighbour, crossing)
        work.trees_found[chunk] = number_by_first(begin, end, work.neighbour, work.label)
    elif phase == POOL_REGIONS:
        pool_clusters(chunk, work, now, later, begin, end)
    else:
        edges = slice(work.edges_at[chunk], work.edges_at[chunk] + work.edges_found[chunk])
        work.edges_found[chunk] = merge_edges(
            work.label, work.u[edges], work.v[edges], work.table[worker]
        )


# ---- from pixels to regions ----------------------------------------------------------------------


@part
def grow(
    chunk: int,
    worker: int,
    image: Image,
    work: Work,
    labels: np.ndarray,
    now: Totals,
    later: Totals,
    begin: int,
    end: int,
    is_cut: bool,
) -> None:
    """Features, strongest edges, trees, and what these hold: `trees_found`."""
    width, is_alone = image.width, len(work.trees_found) == 1
    direction, label = work.direction[worker][: end - begin], labels[begin:end]
    tree_number = work.chunk_number[worker]
    features_q, origin = chunk_features(image, begin, end, work.lab[worker])
    if is_cut:
        copy(work.cut[begin:end], direction)
    elif is_lab(image) and distances_serve(image.code, image.compactness):
        choose_nearest(
            features_q,
            origin,
            image.height,
            width,
            image.code,
            image.compactness,
            begin,
            end,
            direction,
        )
    else:
        choose_directions(
            features_q,
            origin,
            image.height,
            width,
            image.code,
            image.compactness,
            begin,
            end,
            direction,
            np.empty(0),  # weights are not needed
        )
    count = work.trees_found[chunk] = grow_trees(direction, width, label, tree_number)
    pooled = later
    if not is_alone:
        pooled = Totals(work.chunk_sums[worker], work.chunk_size[worker], work.chunk_box[worker])
    clear(ZERO, count, pooled)
    pool_pixels(begin, label, tree_number, features_q, begin - origin, width, pooled)
    if not is_alone:
        copy(direction[:width], work.border[chunk, 0])
        copy(direction[len(direction) - width :], work.border[chunk, 1])
        place = work.totals_at[chunk] = fetch_add(work.board, TREES, count)
        copy_totals(pooled, count, now, place)


@part
def is_lab(image: Image) -> bool:
    """Whether Lab is compared, whose features follow from the picture."""
    return image.features_q.shape[1] == 0


@kernel
def chunk_features(
    image: Image, begin: int, end: int, memory: np.ndarray
) -> tuple[np.ndarray, int]:
    """Quantised features of the pixels in [begin, end) and the rows around, and the first of them.

    `memory` [3, …] int32 is for Lab that is yet to be computed.
    """
    if not is_lab(image):
        return image.features_q, ZERO
    first = max(begin - image.width, 0)
    last = min(end + image.width, image.height * image.width)
    strides = image.pixel_stride, image.channel_stride
    if len(image.bytes8) > 0:
        quantised_lab_of_bytes(image.bytes8, *strides, first, last, memory)
    else:
        quantised_lab_of_floats(image.floats, *strides, first, last, memory)
    return memory, first


@part
def pool_trees(chunk: int, work: Work, labels: np.ndarray, now: Totals, later: Totals) -> None:
    """What the clusters of its trees hold, where several chunks share them: `regions_left`."""
    trees = slice(work.trees_before[chunk], work.trees_before[chunk + 1])
    tree_number = work.tree_number[trees]
    first = work.first_cluster[chunk]
    relabel(labels, tree_number)
    clear(first, work.first_cluster[chunk + 1], later)
    work.regions_left[chunk] = pool_regions(
        ZERO,
        len(tree_number),
        first,
        tree_number,
        totals_from(work.totals_at[chunk], now),
        later,
        work.left_over[trees],
    )


@part
def list_edges(
    chunk: int, worker: int, width: int, work: Work, labels: np.ndarray, begin: int, end: int
) -> None:
    """Edges between regions of pixels: `edges_at`, `edges_found`."""
    is_alone = len(work.trees_found) == 1
    u, v = (work.u, work.v) if is_alone else (work.chunk_u[worker], work.chunk_v[worker])
    count = work.edges_found[chunk] = connect_pixels(begin, end, width, labels, u, v)
    place = work.edges_at[chunk] = fetch_add(work.board, EDGES, count)
    if not is_alone:
        copy(u[:count], work.u[place:])
        copy(v[:count], work.v[place:])


# ---- from regions to regions ---------------------------------------------------------------------


@part
def find_strongest(
    chunk: int, image: Image, work: Work, now: Totals, mean: np.ndarray, begin: int, end: int
) -> None:
    """Strongest edge of each region: `squared_sizes`, `edges_leaving`."""
    sums, size, box = now
    work.squared_sizes[chunk] = sum_of_squares(size[begin:end])
    mean_features(begin, end, sums, size, mean)
    for v in range(begin, end):
        work.best[v] = NO_EDGE
    edges = slice(work.edges_at[chunk], work.edges_at[chunk] + work.edges_found[chunk])
    work.edges_leaving[chunk] = strongest_edges(
        begin,
        end,
        image.code,
        image.compactness,
        work.u[edges],
        work.v[edges],
        mean,
        size,
        box,
        work.best,
        work.nearest,
        work.leaving[edges],
    )


@part
def pool_clusters(chunk: int, work: Work, now: Totals, later: Totals, begin: int, end: int) -> None:
    """What the clusters hold: `regions_left`."""
    first = work.first_cluster[chunk]
    clear(first, work.first_cluster[chunk + 1], later)
    work.regions_left[chunk] = pool_regions(
        begin, end, first, work.label, now, later, work.left_over[begin:end]
    )


@part
def copy(source: np.ndarray, target: np.ndarray) -> None:
    """The same as assigning to a slice, which takes much longer to compile."""
    for k in range(len(source)):
        target[k] = source[k]


# ---- where things are ----------------------------------------------------------------------------


@part
def totals_of_level(level: int, work: Work) -> Totals:
    """What the regions of a level hold, as long as the level two above it holds nothing yet."""
    return Totals(work.sums[level % 2], work.size[level % 2], work.box[level % 2])


@part
def means(later: Totals) -> np.ndarray:
    """Mean features [m, C] float64 of the regions, where the next level's sums will be."""
    return later.sums.view(np.float64)


@part
def totals_from(place: int, totals: Totals) -> Totals:
    """What is held from a place on."""
    return Totals(totals.sums[place:], totals.size[place:], totals.box[place:])
