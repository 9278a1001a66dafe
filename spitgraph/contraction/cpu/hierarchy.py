"""The hierarchy of an image, level by level, in one compiled call (METHOD 2.6, 2.7).

Each step of a level works on chunks, of rows of pixels and then of consecutive regions, one after
the other or side by side (see `team`). Only what joins two chunks is left to one thread.
"""

from typing import NamedTuple

import numpy as np

from spitgraph.contraction.cpu.colour import lab_of_levels
from spitgraph.contraction.cpu.connect import connect_pixels, connect_regions, table_size
from spitgraph.contraction.cpu.grid import ahead, choose_ways
from spitgraph.contraction.cpu.reduce import (
    clear,
    means,
    pool_listed_regions,
    pool_pixels,
    pool_regions,
)
from spitgraph.contraction.cpu.select import (
    NOTHING,
    decide,
    edges_chosen,
    find_roots,
    keep_strongest,
    merge_across,
    merge_all,
    number_roots,
    relabel,
    strongest_edges,
)
from spitgraph.contraction.cpu.trees import grow_trees, merge_borders, number_trees
from spitgraph.contraction.cpu.weights import row_weights
from spitgraph.kernels.cpu.jit import kernel, part
from spitgraph.kernels.cpu.memory import Shapes, views_of_one_block
from spitgraph.kernels.cpu.team import (
    CLOSED,
    HOME,
    await_all,
    fetch_add,
    finish_chunk,
    next_chunk,
    open_phase,
)

#: Numbers with a type, not constants, for each of which Numba would compile a callee once more.
PHASES = np.arange(1, 11)
ZERO = np.int64(0)
GROW, GROW_CUT, SETTLE, CONNECT_PIXELS, CHOOSE, DECIDE, COUNT, JOIN, POOL, CONNECT = range(10)
#: Places of the board behind those of the team: trees and edges so far.
TREES, EDGES = 2, 3


class Image(NamedTuple):
    """What is contracted, and how.

    Attributes:
        levels: [3·H·W] uint8, an 8-bit picture whose Lab is compared; empty if `steps` are given.
        pixel_stride: In `levels`, from a pixel to the next.
        channel_stride: In `levels`, from red to green.
        steps: [C, H·W] int32, quantised features; [3, 0] for those of Lab.
        height: H.
        width: W.
        code: Of the similarity.
        compactness: λ.
    """

    levels: np.ndarray
    pixel_stride: int
    channel_stride: int
    steps: np.ndarray
    height: int
    width: int
    code: int
    compactness: float


class Work(NamedTuple):
    """Working memory for an image of n pixels, in P chunks of up to c, with up to m regions.

    Attributes:
        board: See `team`; then `TREES` and `EDGES`.
        level: [1] int64, what all threads read.
        spread: [2] float64, mean and standard deviation of the region sizes.
        bound: [P + 1] int64, first region of each chunk.
        base: [P + 1] int64, the same at the next level.
        trees: [P + 1] int64, trees before each chunk.
        place: [P] int64, where the sums of a chunk's trees are.
        room: [P] int64, first place of each chunk's edges.
        edges: [P] int64, how many edges each chunk has.
        tally: [P] int64, what a chunk counted.
        square: [P] int64, sum of the squared sizes of a chunk's regions; before, how many of its
            pointers cross.
        border: [P, 2, W] uint8, ways in the first and last row of a chunk of pixels.
        way: [threads, c] uint8, ways in a chunk.
        tree: [threads, c] uint32, numbers of its trees.
        features: [threads, 3, c + 2·W] int32, quantised Lab of a chunk and the rows around it;
            [threads, 3, c] if P = 1.
        own_sums, own_size, own_box: [threads, c, …], regions of a chunk, if P > 1.
        own_u, own_v: [threads, 2·c] uint32, its edges, if P > 1.
        table: [threads, 2ᵏ] uint64; see `connect`.
        to: [m] uint32, region that each is merged with, then the root of its tree.
        label: [m] uint32, cluster of each region; that of pixels is the caller's.
        number: [m] uint32, clusters of the chunks' trees.
        u, v: [2·n] uint32, ends of the edges, the smaller first.
        best: [m] float64, weight of each region's strongest edge.
        nearest: [m] uint32, its other end.
        sums: [2, m, C] int64, features at even and odd levels; of one, means while they are needed.
        size: [2, m] int32, pixels.
        box: [2, m, 4] int32, (x_min, y_min, x_max, y_max), max exclusive; no rows if λ = 0.
        listed: [m] uint32, what a chunk left over.
        crossing: [2, m] uint32, pointers from one chunk to another.
        leaving: [2·n] uint32, edges that leave their chunk, by number.
        cut: [n] uint8, ways that are left where not all edges are contracted.
    """

    board: np.ndarray
    level: np.ndarray
    spread: np.ndarray
    bound: np.ndarray
    base: np.ndarray
    trees: np.ndarray
    place: np.ndarray
    room: np.ndarray
    edges: np.ndarray
    tally: np.ndarray
    square: np.ndarray
    border: np.ndarray
    way: np.ndarray
    tree: np.ndarray
    features: np.ndarray
    own_sums: np.ndarray
    own_size: np.ndarray
    own_box: np.ndarray
    own_u: np.ndarray
    own_v: np.ndarray
    table: np.ndarray
    to: np.ndarray
    label: np.ndarray
    number: np.ndarray
    u: np.ndarray
    v: np.ndarray
    best: np.ndarray
    nearest: np.ndarray
    sums: np.ndarray
    size: np.ndarray
    box: np.ndarray
    listed: np.ndarray
    crossing: np.ndarray
    leaving: np.ndarray
    cut: np.ndarray


def working_memory(
    num_pixels: int,
    width: int,
    num_regions: int,
    channels: int,
    *,
    boxes: bool,
    lab: bool,
    chunks: int = 1,
    rows: int = 0,
    threads: int = 1,
) -> Work:
    """Memory for any image of up to `num_pixels`; of most of it only the first part is touched.

    `chunks` of up to `rows` rows are for images of this size only; one chunk is for smaller ones.
    """
    n, p, t = num_pixels, chunks, threads
    c = n if p == 1 else rows * width
    own = 0 if p == 1 else c
    # every pixel merges, or just enough of them; trees that end at a chunk's border are more
    m = min(n, max(n // 2, num_regions, 1) + 2 * width * (p - 1))
    dense: Shapes = {
        "board": (np.int64, (4,)),
        "level": (np.int64, (1,)),
        "spread": (np.float64, (2,)),
        "bound": (np.int64, (p + 1,)),
        "base": (np.int64, (p + 1,)),
        "trees": (np.int64, (p + 1,)),
        "place": (np.int64, (p,)),
        "room": (np.int64, (p,)),
        "edges": (np.int64, (p,)),
        "tally": (np.int64, (p,)),
        "square": (np.int64, (p,)),
        "border": (np.uint8, (p, 2, width)),
        "way": (np.uint8, (t, c)),
        "tree": (np.uint32, (t, c)),
        "features": (np.int32, (t, 3, (c if p == 1 else c + 2 * width) if lab else 0)),
        "own_sums": (np.int64, (t, own, channels)),
        "own_size": (np.int32, (t, own)),
        "own_box": (np.int32, (t, own if boxes else 0, 4)),
        "own_u": (np.uint32, (t, 2 * own)),
        "own_v": (np.uint32, (t, 2 * own)),
        "table": (np.uint64, (t, table_size(width))),
        "to": (np.uint32, (m,)),
        "label": (np.uint32, (m,)),
        "number": (np.uint32, (m,)),
        "u": (np.uint32, (2 * n,)),
        "v": (np.uint32, (2 * n,)),
        "best": (np.float64, (m,)),
        "nearest": (np.uint32, (m,)),
        "sums": (np.int64, (2, m, channels)),
        "size": (np.int32, (2, m)),
        "box": (np.int32, (2, m if boxes else 0, 4)),
    }
    sparse: Shapes = {
        "listed": (np.uint32, (m,)),
        "crossing": (np.uint32, (2, m)),
        "leaving": (np.uint32, (2 * n,)),
        "cut": (np.uint8, (n if num_regions else 0,)),
    }
    work = Work(**views_of_one_block(dense), **views_of_one_block(sparse, is_sparse=True))
    work.board[:] = CLOSED, 0, 0, 0
    return work


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
        levels: Contraction steps, if `num_regions` is 0.
        num_regions: Exact count of regions to stop at.

    Returns:
        Parent maps of the levels from 1 on, one after the other, uint32; and how many regions each
        level has, from 0 to the last, int64. Of other workers than 0, nothing.
    """
    deep = np.empty(len(work.label) if worker == 0 else 0, np.uint32)
    counts = np.empty(8, np.int64)
    if worker > 0:
        assist(worker, image, work, labels)
        return deep, counts
    count = counts[0] = image.height * image.width
    used = level = 0
    while (count > num_regions) if num_regions > 0 else (level < levels):
        if level == 0:
            merged = first_level(worker, image, work, labels, num_regions)
        else:
            merged = next_level(worker, image, work, labels, level, count, num_regions)
        if merged > num_regions if num_regions > 0 else level + 1 < levels:
            if level == 0:
                run(worker, PHASES[CONNECT_PIXELS], image, work, labels)
            else:
                run(worker, PHASES[POOL], image, work, labels)
                finish_pooling(work)
                run(worker, PHASES[CONNECT], image, work, labels)
        if level > 0:
            if used + count > len(deep):
                deep = np.concatenate((deep, np.empty(len(deep) + count, np.uint32)))
            deep[used : used + count] = work.label[:count]
            used += count
        level += 1
        count = merged
        if level == len(counts):
            counts = np.concatenate((counts, np.empty(level, np.int64)))
        counts[level] = count
        work.bound[:] = work.base
    return deep[:used], counts[: level + 1]


@part
def assist(worker: int, image: Image, work: Work, labels: np.ndarray) -> None:
    """What further threads do: take chunks of whatever phase is open, until all is done."""
    chunks = len(work.tally)
    phase = 0
    while phase != HOME:
        phase, chunk = next_chunk(work.board, chunks)
        if chunk >= 0 and phase != HOME:
            work_on(phase, chunk, image, work, labels, worker)
            finish_chunk(work.board)


@part
def run(worker: int, phase: int, image: Image, work: Work, labels: np.ndarray) -> None:
    """The leader: one phase over all chunks."""
    chunks = len(work.tally)
    open_phase(work.board, phase)
    chunk = 0
    while chunk >= 0:
        _, chunk = next_chunk(work.board, chunks)
        if chunk >= 0:
            work_on(phase, chunk, image, work, labels, worker)
            finish_chunk(work.board)
    await_all(work.board, chunks)


@part
def first_level(worker: int, image: Image, work: Work, labels: np.ndarray, num_regions: int) -> int:
    """From pixels to regions; how many there are."""
    chunks = len(work.tally)
    rows = -(-image.height // chunks)
    for c in range(chunks + 1):
        work.bound[c] = min(c * rows, image.height) * image.width
    work.level[0] = 0
    work.board[TREES] = work.board[EDGES] = 0
    run(worker, PHASES[GROW], image, work, labels)
    merged = finish_growing(work, labels)
    if merged < num_regions:
        cut_edges(image, work.cut, num_regions)
        work.board[TREES] = 0
        run(worker, PHASES[GROW_CUT], image, work, labels)
        merged = finish_growing(work, labels)
    if chunks > 1:
        run(worker, PHASES[SETTLE], image, work, labels)
        finish_settling(work)
    return merged


@part
def next_level(
    worker: int,
    image: Image,
    work: Work,
    labels: np.ndarray,
    level: int,
    count: int,
    num_regions: int,
) -> int:
    """From regions to regions of the next level; how many there are."""
    work.level[0] = level
    run(worker, PHASES[CHOOSE], image, work, labels)
    finish_choosing(image, work)
    measure_spread(work.spread, image.height * image.width, work.square.sum(), count)
    run(worker, PHASES[DECIDE], image, work, labels)
    if num_regions > 0:
        if 2 * work.tally.sum() < count:  # so that every level makes headway
            merge_all(work.best, work.nearest, work.to, count)
        run(worker, PHASES[COUNT], image, work, labels)
        if work.tally.sum() > count - num_regions:
            keep_strongest(work.best[:count], work.to, count - num_regions)
    run(worker, PHASES[JOIN], image, work, labels)
    return finish_joining(work)


@kernel
def work_on(
    phase: int, chunk: int, image: Image, work: Work, labels: np.ndarray, worker: int
) -> None:
    """One chunk of one phase."""
    now, then = work.level[0] % 2, (work.level[0] + 1) % 2
    begin, end = work.bound[chunk], work.bound[chunk + 1]
    first = work.base[chunk]
    edges = slice(work.room[chunk], work.room[chunk] + work.edges[chunk])
    if phase == PHASES[GROW] or phase == PHASES[GROW_CUT]:
        grow(chunk, image, work, labels, worker, phase == PHASES[GROW_CUT])
    elif phase == PHASES[SETTLE]:
        trees = slice(work.trees[chunk], work.trees[chunk + 1])
        number, place = work.number[trees], work.place[chunk]
        relabel(labels[begin:end], number)
        clear(first, work.base[chunk + 1], work.sums[1], work.size[1], work.box[1])
        work.tally[chunk] = pool_regions(
            ZERO,
            len(number),
            first,
            number,
            work.sums[0][place:],
            work.size[0][place:],
            work.box[0][place:],
            work.sums[1],
            work.size[1],
            work.box[1],
            work.listed[trees],
        )
    elif phase == PHASES[CONNECT_PIXELS]:
        connect(chunk, image.width, work, labels, worker)
    elif phase == PHASES[CHOOSE]:
        mean = work.sums[then].view(np.float64)
        work.square[chunk] = means(begin, end, work.sums[now], work.size[now], mean)
        work.best[begin:end] = NOTHING
        work.tally[chunk] = strongest_edges(
            begin,
            end,
            image.code,
            image.compactness,
            work.u[edges],
            work.v[edges],
            mean,
            work.size[now],
            work.box[now],
            work.best,
            work.nearest,
            work.leaving[edges],
        )
    elif phase == PHASES[DECIDE]:
        work.tally[chunk] = decide(
            begin,
            end,
            image.compactness,
            work.spread,
            work.size[now],
            work.box[now],
            work.best,
            work.nearest,
            work.to,
        )
    elif phase == PHASES[COUNT]:
        work.tally[chunk] = edges_chosen(begin, end, work.to)
    elif phase == PHASES[JOIN]:
        work.square[chunk] = find_roots(begin, end, work.to, work.crossing[:, begin:end])
        work.tally[chunk] = number_roots(begin, end, work.to, work.label)
    elif phase == PHASES[POOL]:
        clear(first, work.base[chunk + 1], work.sums[then], work.size[then], work.box[then])
        work.tally[chunk] = pool_regions(
            begin,
            end,
            first,
            work.label,
            work.sums[now],
            work.size[now],
            work.box[now],
            work.sums[then],
            work.size[then],
            work.box[then],
            work.listed[begin:end],
        )
    else:
        work.edges[chunk] = connect_regions(
            work.label, work.u[edges], work.v[edges], work.table[worker]
        )


@kernel
def grow(
    chunk: int, image: Image, work: Work, labels: np.ndarray, worker: int, is_cut: bool
) -> None:
    """A chunk of pixels: features, strongest edges, trees, and what these hold."""
    begin, end = work.bound[chunk], work.bound[chunk + 1]
    width, is_alone = image.width, len(work.tally) == 1
    way, number, label = work.way[worker][: end - begin], work.tree[worker], labels[begin:end]
    steps, origin = image.steps, ZERO
    if len(image.levels) > 0:
        steps, origin = work.features[worker], max(begin - width, 0)
        bottom = min(end + width, image.height * width)
        lab_of_levels(
            image.levels,
            image.pixel_stride,
            image.channel_stride,
            origin,
            bottom,
            steps,
        )
    if is_cut:
        way[:] = work.cut[begin:end]
    else:
        code, compactness = image.code, image.compactness
        choose_ways(steps, origin, image.height, width, code, compactness, begin, end, way)
    count = grow_trees(way, width, label, number)
    work.tally[chunk] = count
    sums, size, box = work.sums[1], work.size[1], work.box[1]
    if not is_alone:
        work.border[chunk, 0], work.border[chunk, 1] = way[:width], way[len(way) - width :]
        sums, size, box = work.own_sums[worker], work.own_size[worker], work.own_box[worker]
    clear(ZERO, count, sums, size, box)
    pool_pixels(begin, label, number, steps, begin - origin, width, sums, size, box)
    if not is_alone:
        place = fetch_add(work.board, TREES, count)
        work.place[chunk] = place
        work.sums[0][place : place + count] = sums[:count]
        work.size[0][place : place + count] = size[:count]
        if len(box) > 0:
            work.box[0][place : place + count] = box[:count]


@kernel
def connect(chunk: int, width: int, work: Work, labels: np.ndarray, worker: int) -> None:
    """Edges of a chunk of pixels."""
    is_alone = len(work.tally) == 1
    u, v = (work.u, work.v) if is_alone else (work.own_u[worker], work.own_v[worker])
    count = connect_pixels(work.bound[chunk], work.bound[chunk + 1], width, labels, u, v)
    place = fetch_add(work.board, EDGES, count)
    work.room[chunk], work.edges[chunk] = place, count
    if not is_alone:
        work.u[place : place + count] = u[:count]
        work.v[place : place + count] = v[:count]


@kernel
def finish_growing(work: Work, labels: np.ndarray) -> int:
    """Number the trees over all chunks, joined where they touch; how many there are."""
    chunks = len(work.tally)
    trees, base = work.trees, work.base
    trees[0] = base[0] = 0
    for c in range(chunks):
        trees[c + 1] = trees[c] + work.tally[c]
        base[c + 1] = trees[c + 1]
    if chunks > 1:
        merge_borders(work.border, work.bound, trees, labels, work.number[: trees[chunks]])
        for c in range(chunks):
            base[c + 1] = number_trees(work.number, trees[c], trees[c + 1], base[c])
    return base[chunks]


@kernel
def finish_joining(work: Work) -> int:
    """The same for regions."""
    chunks = len(work.tally)
    trees, base = work.trees, work.base
    for c in range(chunks):
        trees[c + 1] = trees[c] + work.tally[c]
        base[c + 1] = trees[c + 1]
    if chunks > 1:
        number = work.number[: trees[chunks]]
        merge_across(work.crossing, work.square, work.bound, trees, work.label, number)
        for c in range(chunks):
            base[c + 1] = number_trees(number, trees[c], trees[c + 1], base[c])
            relabel(work.label[work.bound[c] : work.bound[c + 1]], number[trees[c] :])
    return base[chunks]


@kernel
def finish_settling(work: Work) -> None:
    """Trees of clusters that begin in an earlier chunk."""
    for c in range(len(work.tally)):
        place = work.place[c]
        pool_listed_regions(
            work.listed[work.trees[c] : work.trees[c] + work.tally[c]],
            work.number[work.trees[c] :],
            work.sums[0][place:],
            work.size[0][place:],
            work.box[0][place:],
            work.sums[1],
            work.size[1],
            work.box[1],
        )


@kernel
def finish_pooling(work: Work) -> None:
    """Regions of clusters that begin in an earlier chunk."""
    now, then = work.level[0] % 2, (work.level[0] + 1) % 2
    for c in range(len(work.tally)):
        pool_listed_regions(
            work.listed[work.bound[c] : work.bound[c] + work.tally[c]],
            work.label,
            work.sums[now],
            work.size[now],
            work.box[now],
            work.sums[then],
            work.size[then],
            work.box[then],
        )


@kernel
def finish_choosing(image: Image, work: Work) -> None:
    """Edges between two chunks."""
    now, then = work.level[0] % 2, (work.level[0] + 1) % 2
    u = np.empty(work.tally.sum(), np.uint32)
    v = np.empty(work.tally.sum(), np.uint32)
    k = 0
    for c in range(len(work.tally)):
        for i in range(work.room[c], work.room[c] + work.tally[c]):
            e = work.room[c] + work.leaving[i]
            u[k], v[k] = work.u[e], work.v[e]
            k += 1
    strongest_edges(
        ZERO,
        len(work.to),
        image.code,
        image.compactness,
        u,
        v,
        work.sums[then].view(np.float64),
        work.size[now],
        work.box[now],
        work.best,
        work.nearest,
        work.leaving[:0],
    )


@kernel
def cut_edges(image: Image, way: np.ndarray, num_regions: int) -> None:
    """Ways of all pixels along so many of the strongest edges as leave `num_regions` trees."""
    height, width = image.height, image.width
    pixels = height * width
    steps = image.steps
    if len(image.levels) > 0:
        steps = np.empty((3, pixels), np.int32)
        lab_of_levels(
            image.levels,
            image.pixel_stride,
            image.channel_stride,
            ZERO,
            pixels,
            steps,
        )
    code, compactness = image.code, image.compactness
    choose_ways(steps, ZERO, height, width, code, compactness, ZERO, pixels, way)
    to = np.empty(pixels, np.uint32)
    weight = np.empty(pixels)
    for p in range(pixels):
        to[p] = p + ahead(way[p], width)
        row_weights(code, compactness, steps, p, np.int64(to[p]), weight[p : p + 1])
    keep_strongest(weight, to, pixels - num_regions)
    for p in range(pixels):
        if to[p] == p:
            way[p] = 0


@kernel
def measure_spread(spread: np.ndarray, num_pixels: int, squares: int, count: int) -> None:
    """Mean and standard deviation of the region sizes (METHOD 2.2)."""
    mean = np.float64(num_pixels) / np.float64(count)
    variance = np.float64(squares) / np.float64(count) - mean * mean
    spread[0] = mean
    spread[1] = np.sqrt(max(variance, 0.0))
