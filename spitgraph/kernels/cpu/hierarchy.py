"""The hierarchy of an image, level by level, in one compiled call (METHOD 2.6, 2.7).

Each step of a level works on chunks of consecutive regions, one after the other or side by side
(see `team`). Only what joins two chunks is left to one thread.
"""

from typing import NamedTuple

import numpy as np

from spitgraph.kernels.cpu.connect import connect_pixels, connect_regions, table_size
from spitgraph.kernels.cpu.grid import strongest_pixel_edges
from spitgraph.kernels.cpu.memory import views_of_one_block
from spitgraph.kernels.cpu.reduce import (
    clear,
    means,
    pool_listed_pixels,
    pool_listed_regions,
    pool_pixels,
    pool_regions,
)
from spitgraph.kernels.cpu.select import (
    NOTHING,
    decide,
    edges_chosen,
    find_roots,
    keep_strongest,
    merge_across,
    merge_all,
    number,
    relabel,
    strongest_edges,
)
from spitgraph.kernels.cpu.team import CLOSED, HOME, await_all, finish_chunk, next_chunk, open_phase
from spitgraph.kernels.cpu.threads import kernel
from spitgraph.kernels.cpu.weights import row_weights

#: Numbers in an array, not constants, for each of which Numba would compile the callers once more.
PHASES = np.arange(1, 8)
CHOOSE, DECIDE, COUNT, JOIN, RELABEL, POOL, CONNECT = range(7)


class Image(NamedTuple):
    """What is contracted, and how.

    Attributes:
        steps: [C, H·W] int32, quantised features.
        height: H.
        width: W.
        code: Of the similarity.
        compactness: λ.
    """

    steps: np.ndarray
    height: int
    width: int
    code: int
    compactness: float


class Work(NamedTuple):
    """Working memory for an image of n pixels, in P chunks, with up to m regions at level 1.

    Attributes:
        board: See `team`.
        level: [1] int64, what all threads read.
        spread: [2] float64, mean and standard deviation of the region sizes.
        bound: [P + 1] int64, first region of each chunk.
        base: [P + 1] int64, the same at the next level.
        room: [P + 1] int64, first place of each chunk's edges.
        edges: [P] int64, how many edges each chunk has.
        tally: [P] int64, what a chunk counted.
        square: [P] int64, sum of the squared sizes of a chunk's regions.
        to: [n] uint32, region that each is merged with, then the root of its tree.
        listed: [n] uint32, what a chunk left over; before that, ranks of the roots.
        crossing: [2, n] uint32, pointers from one chunk to another.
        number: [n] uint32, clusters of the chunks' trees.
        u, v: [2n] uint32, ends of the edges, the smaller first.
        leaving: [2n] uint32, edges that leave their chunk, by number.
        label: [m] uint32, cluster of each region; that of pixels is the caller's.
        best: [m] float64, weight of each region's strongest edge.
        nearest: [m] uint32, its other end.
        sums: [2, m, C] int64, features at even and odd levels.
        size: [2, m] int32, pixels.
        box: [2, m, 4] int32, (x_min, y_min, x_max, y_max), max exclusive; no rows if λ = 0.
        mean: [m, C] float64.
        table: [threads, 2ᵏ] uint64; see `connect`.
    """

    board: np.ndarray
    level: np.ndarray
    spread: np.ndarray
    bound: np.ndarray
    base: np.ndarray
    room: np.ndarray
    edges: np.ndarray
    tally: np.ndarray
    square: np.ndarray
    to: np.ndarray
    listed: np.ndarray
    crossing: np.ndarray
    number: np.ndarray
    u: np.ndarray
    v: np.ndarray
    leaving: np.ndarray
    label: np.ndarray
    best: np.ndarray
    nearest: np.ndarray
    sums: np.ndarray
    size: np.ndarray
    box: np.ndarray
    mean: np.ndarray
    table: np.ndarray


def working_memory(
    num_pixels: int,
    width: int,
    num_regions: int,
    channels: int,
    boxes: bool,
    chunks: int = 1,
    threads: int = 1,
) -> Work:
    """Memory for any image of up to `num_pixels`; of most of it only the first part is touched."""
    n = num_pixels
    m = max(n // 2, num_regions, 1)  # every pixel merges, or just enough of them
    shapes: dict[str, tuple[type, tuple[int, ...]]] = {
        "board": (np.int64, (2,)),
        "level": (np.int64, (1,)),
        "spread": (np.float64, (2,)),
        "bound": (np.int64, (chunks + 1,)),
        "base": (np.int64, (chunks + 1,)),
        "room": (np.int64, (chunks + 1,)),
        "edges": (np.int64, (chunks,)),
        "tally": (np.int64, (chunks,)),
        "square": (np.int64, (chunks,)),
        "to": (np.uint32, (n,)),
        "listed": (np.uint32, (n,)),
        "crossing": (np.uint32, (2, n)),
        "number": (np.uint32, (n,)),
        "u": (np.uint32, (2 * n,)),
        "v": (np.uint32, (2 * n,)),
        "leaving": (np.uint32, (2 * n,)),
        "label": (np.uint32, (m,)),
        "best": (np.float64, (m,)),
        "nearest": (np.uint32, (m,)),
        "sums": (np.int64, (2, m, channels)),
        "size": (np.int32, (2, m)),
        "box": (np.int32, (2, m if boxes else 0, 4)),
        "mean": (np.float64, (m, channels)),
        "table": (np.uint64, (threads, table_size(width))),
    }
    arrays = views_of_one_block(list(shapes.values()))
    work = Work(**dict(zip(shapes, arrays, strict=True)))
    work.board[:] = CLOSED, 0
    work.base[0] = 0
    return work


@kernel
def contract_image(
    image: Image, work: Work, labels: np.ndarray, levels: int, num_regions: int
) -> tuple[np.ndarray, np.ndarray]:
    """The hierarchy of one image.

    Args:
        image: The image.
        work: Working memory.
        labels: [H·W] uint32, region of level 1 of each pixel, written.
        levels: Contraction steps, if `num_regions` is 0.
        num_regions: Exact count of regions to stop at.

    Returns:
        Parent maps of the levels from 1 on, one after the other, uint32; and how many regions each
        level has, from 0 to the last, int64.
    """
    chunks = len(work.tally)
    rows = -(-image.height // chunks)
    for c in range(chunks + 1):
        work.bound[c] = min(c * rows, image.height) * image.width
        work.room[c] = 2 * work.bound[c]
    num_pixels = image.height * image.width
    count = num_pixels
    counts = np.empty(8, np.int64)
    counts[0] = count
    deep = np.empty(len(work.label), np.uint32)
    used = level = 0
    while (count > num_regions) if num_regions > 0 else (level < levels):
        work.level[0] = level
        run(PHASES[CHOOSE], image, work, labels)
        if level > 0:
            finish_choosing(image, work)
            measure_spread(work.spread, num_pixels, work.square.sum(), count)
            run(PHASES[DECIDE], image, work, labels)
        if num_regions > 0:
            if level > 0 and 2 * work.tally.sum() < count:  # so that every level makes headway
                merge_all(work.best, work.nearest, work.to, count)
            run(PHASES[COUNT], image, work, labels)
            if work.tally.sum() > count - num_regions:
                weight = pixel_weights(image, work.to) if level == 0 else work.best[:count]
                keep_strongest(weight, work.to, count - num_regions)
        merged = join(image, work, labels)
        if merged > num_regions if num_regions > 0 else level + 1 < levels:
            run(PHASES[POOL], image, work, labels)
            finish_pooling(image, work, labels)
            run(PHASES[CONNECT], image, work, labels)
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
    return deep[:used].copy(), counts[: level + 1].copy()


@kernel
def assist(image: Image, work: Work, labels: np.ndarray, worker: int) -> None:
    """What further threads do: take chunks of whatever phase is open, until all is done."""
    chunks = len(work.tally)
    while True:
        phase, chunk = next_chunk(work.board, chunks)
        if phase == HOME:
            return
        if chunk >= 0:
            work_on(phase, chunk, image, work, labels, worker)
            finish_chunk(work.board)


@kernel
def run(phase: int, image: Image, work: Work, labels: np.ndarray) -> None:
    """The leader: one phase over all chunks."""
    chunks = len(work.tally)
    open_phase(work.board, phase)
    while True:
        _, chunk = next_chunk(work.board, chunks)
        if chunk < 0:
            break
        work_on(phase, chunk, image, work, labels, 0)
        finish_chunk(work.board)
    await_all(work.board, chunks)


@kernel
def work_on(
    phase: int, chunk: int, image: Image, work: Work, labels: np.ndarray, worker: int
) -> None:
    """One chunk of one phase."""
    level = work.level[0]
    now, then = level % 2, (level + 1) % 2
    label = labels if level == 0 else work.label
    begin, end = work.bound[chunk], work.bound[chunk + 1]
    first = work.base[chunk]
    edges = slice(work.room[chunk], work.room[chunk] + work.edges[chunk])
    if phase == PHASES[CHOOSE] and level == 0:
        if image.height * image.width == 1:
            work.to[0] = 0
        else:
            strongest_pixel_edges(
                image.steps,
                image.height,
                image.width,
                image.code,
                image.compactness,
                begin,
                end,
                work.to,
            )
    elif phase == PHASES[CHOOSE]:
        work.square[chunk] = means(begin, end, work.sums[now], work.size[now], work.mean)
        work.best[begin:end] = NOTHING
        work.tally[chunk] = strongest_edges(
            begin,
            end,
            image.code,
            image.compactness,
            work.u[edges],
            work.v[edges],
            work.mean,
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
        work.tally[chunk] = number(begin, end, work.to, work.listed, label)
    elif phase == PHASES[RELABEL]:
        relabel(label[begin:end], work.number[work.square[chunk] :])
    elif phase == PHASES[POOL]:
        clear(first, work.base[chunk + 1], work.sums[then], work.size[then], work.box[then])
        if level == 0:
            work.tally[chunk] = pool_pixels(
                begin,
                end,
                first,
                label,
                image.steps,
                image.width,
                work.sums[1],
                work.size[1],
                work.box[1],
                work.listed[begin:end],
            )
        else:
            work.tally[chunk] = pool_regions(
                begin,
                end,
                first,
                label,
                work.sums[now],
                work.size[now],
                work.box[now],
                work.sums[then],
                work.size[then],
                work.box[then],
                work.listed[begin:end],
            )
    elif level == 0:
        edges = slice(work.room[chunk], work.room[chunk + 1])
        work.edges[chunk] = connect_pixels(
            begin, end, image.width, label, work.u[edges], work.v[edges], work.table[worker]
        )
    else:
        work.edges[chunk] = connect_regions(label, work.u[edges], work.v[edges], work.table[worker])


@kernel
def finish_choosing(image: Image, work: Work) -> None:
    """Edges between two chunks."""
    now = work.level[0] % 2
    none = work.leaving[:0]
    for c in range(len(work.tally)):
        for k in range(work.room[c], work.room[c] + work.tally[c]):
            e = work.room[c] + work.leaving[k]
            strongest_edges(
                0,
                len(work.to),
                image.code,
                image.compactness,
                work.u[e : e + 1],
                work.v[e : e + 1],
                work.mean,
                work.size[now],
                work.box[now],
                work.best,
                work.nearest,
                none,
            )


@kernel
def join(image: Image, work: Work, labels: np.ndarray) -> int:
    """Clusters of the regions, numbered; how many there are."""
    run(PHASES[JOIN], image, work, labels)
    chunks = len(work.tally)
    base = work.base
    for c in range(chunks):
        base[c + 1] = base[c] + work.tally[c]
    if chunks > 1:
        crossed = work.square.copy()
        work.square[:] = base[:chunks]
        label = labels if work.level[0] == 0 else work.label
        merge_across(work.crossing, crossed, work.bound, base, label, work.number)
        run(PHASES[RELABEL], image, work, labels)
    return base[chunks]


@kernel
def finish_pooling(image: Image, work: Work, labels: np.ndarray) -> None:
    """What belongs to clusters that begin in an earlier chunk."""
    now, then = work.level[0] % 2, (work.level[0] + 1) % 2
    for c in range(len(work.tally)):
        listed = work.listed[work.bound[c] : work.bound[c] + work.tally[c]]
        if work.level[0] == 0:
            pool_listed_pixels(
                listed,
                labels,
                image.steps,
                image.width,
                work.sums[1],
                work.size[1],
                work.box[1],
            )
        else:
            pool_listed_regions(
                listed,
                work.label,
                work.sums[now],
                work.size[now],
                work.box[now],
                work.sums[then],
                work.size[then],
                work.box[then],
            )


@kernel
def measure_spread(spread: np.ndarray, num_pixels: int, squares: int, count: int) -> None:
    """Mean and standard deviation of the region sizes (METHOD 2.2)."""
    mean = np.float64(num_pixels) / np.float64(count)
    variance = np.float64(squares) / np.float64(count) - mean * mean
    spread[0] = mean
    spread[1] = np.sqrt(max(variance, 0.0))


@kernel
def pixel_weights(image: Image, to: np.ndarray) -> np.ndarray:
    """Weight of the edge that each pixel chose."""
    weight = np.empty(image.height * image.width)
    for p in range(len(weight)):
        row_weights(
            image.code,
            image.compactness,
            image.steps,
            p,
            to[p],
            weight[p : p + 1],
        )
    return weight
