"""What is contracted, and the working memory for it: one table that says of every array what it is.

The fields of `Work` are that table, from which its arrays are allocated: for n pixels in rows of W,
in P chunks of up to c pixels, contracted to up to m regions of C channels by so many threads.
"""

from functools import lru_cache
from math import prod
from typing import Annotated, Any, NamedTuple, get_type_hints

import numpy as np
from numba.core import types
from numba.np.arrayobj import populate_array
from numba.np.numpy_support import from_dtype

from spitgraph.contraction.cpu.connect import table_size
from spitgraph.kernels.cpu.jit import llvm
from spitgraph.kernels.cpu.memory import Arena, Block
from spitgraph.kernels.cpu.team import CLOSED

#: Places of the board behind those of the team: trees and edges so far.
TREES, EDGES = 2, 3


class Image(NamedTuple):
    """What is contracted, and how.

    Attributes:
        bytes8: [3·H·W] uint8, an 8-bit picture whose Lab is compared; else empty.
        floats: [3·H·W] float32, any other picture whose Lab is compared; else empty.
        pixel_stride: In either, from a pixel to the next.
        channel_stride: In either, from red to green.
        features_q: [C, H·W] int32, quantised features; [3, 0] for those of Lab.
        height: H.
        width: W.
        code: Of the similarity.
        compactness: λ.
    """

    bytes8: np.ndarray
    floats: np.ndarray
    pixel_stride: int
    channel_stride: int
    features_q: np.ndarray
    height: int
    width: int
    code: int
    compactness: float


class Row(NamedTuple):
    """A row of the table: what an array holds.

    Attributes:
        dtype: Of its elements.
        shape: Its dimensions: numbers, or names that `dimensions` knows.
        meaning: What it is.
        is_sparse: Whether little of it is touched in most images.
    """

    dtype: type
    shape: str
    meaning: str
    is_sparse: bool = False


class Work(NamedTuple):
    """Working memory for an image: the table."""

    # what the threads share
    board: Annotated[np.ndarray, Row(np.int64, "4", "see `team`; then `TREES` and `EDGES`")]
    level: Annotated[np.ndarray, Row(np.int64, "1", "t, what all threads read")]
    moments: Annotated[
        np.ndarray, Row(np.float64, "2", "mean and standard deviation of the region sizes")
    ]

    # of each chunk: where it begins
    first_region: Annotated[np.ndarray, Row(np.int64, "P+1", "its first region; of level 0, pixel")]
    first_cluster: Annotated[np.ndarray, Row(np.int64, "P+1", "its first region of the next level")]
    trees_before: Annotated[np.ndarray, Row(np.int64, "P+1", "trees of the chunks before it")]
    totals_at: Annotated[np.ndarray, Row(np.int64, "P", "place of what its trees of pixels hold")]
    edges_at: Annotated[np.ndarray, Row(np.int64, "P", "place of its edges in `u` and `v`")]

    # of each chunk: what a phase found
    trees_found: Annotated[np.ndarray, Row(np.int64, "P", "trees that begin in it")]
    regions_left: Annotated[np.ndarray, Row(np.int64, "P", "regions of it in `left_over`")]
    edges_found: Annotated[np.ndarray, Row(np.int64, "P", "edges that are listed for it")]
    edges_leaving: Annotated[np.ndarray, Row(np.int64, "P", "edges of it in `leaving`")]
    squared_sizes: Annotated[np.ndarray, Row(np.int64, "P", "sum of its regions' squared sizes")]
    merging: Annotated[np.ndarray, Row(np.int64, "P", "regions that merge with a neighbour")]
    edges_chosen: Annotated[np.ndarray, Row(np.int64, "P", "edges that its regions chose")]
    pointers_crossing: Annotated[np.ndarray, Row(np.int64, "P", "regions of it in `crossing`")]
    border: Annotated[
        np.ndarray, Row(np.uint8, "P 2 W", "directions of its first and last row of pixels")
    ]

    # of each thread: the chunk of pixels that it works on
    direction: Annotated[np.ndarray, Row(np.uint8, "threads c", "directions of the pixels")]
    chunk_number: Annotated[np.ndarray, Row(np.uint32, "threads c", "`tree_number` of its trees")]
    lab: Annotated[
        np.ndarray, Row(np.int32, "threads 3 c_lab", "quantised Lab, of the rows around it too")
    ]
    chunk_sums: Annotated[np.ndarray, Row(np.int64, "threads c_own C", "`sums` of its trees")]
    chunk_size: Annotated[np.ndarray, Row(np.int32, "threads c_own", "`size` of its trees")]
    chunk_box: Annotated[np.ndarray, Row(np.int32, "threads c_box 4", "`box` of its trees")]
    chunk_u: Annotated[np.ndarray, Row(np.uint32, "threads 2c_own", "`u` of its edges")]
    chunk_v: Annotated[np.ndarray, Row(np.uint32, "threads 2c_own", "`v` of its edges")]
    table: Annotated[np.ndarray, Row(np.uint64, "threads table", "see `connect`")]

    # of regions and edges
    neighbour: Annotated[
        np.ndarray, Row(np.uint32, "m", "region that each merges with; then the root of its tree")
    ]
    label: Annotated[
        np.ndarray, Row(np.uint32, "m", "cluster of each region; that of pixels is the caller's")
    ]
    tree_number: Annotated[np.ndarray, Row(np.uint32, "m", "clusters of the chunks' trees")]
    u: Annotated[np.ndarray, Row(np.uint32, "2n", "ends of the edges, the smaller")]
    v: Annotated[np.ndarray, Row(np.uint32, "2n", "and the larger")]
    best: Annotated[np.ndarray, Row(np.float64, "m", "weight of each region's strongest edge")]
    nearest: Annotated[np.ndarray, Row(np.uint32, "m", "its other end")]
    sums: Annotated[
        np.ndarray,
        Row(np.int64, "2 m C", "features at even and odd levels; of the other, means meanwhile"),
    ]
    size: Annotated[np.ndarray, Row(np.int32, "2 m", "pixels, at even and odd levels")]
    box: Annotated[np.ndarray, Row(np.int32, "2 m_box 4", "boxes, see `Totals`")]

    # lists of what a chunk leaves to the leader, each chunk's from its first region or edge on
    left_over: Annotated[
        np.ndarray, Row(np.uint32, "m", "regions of clusters that begin in an earlier chunk", True)
    ]
    crossing: Annotated[
        np.ndarray, Row(np.uint32, "2 m", "regions that point out of it, and where to", True)
    ]
    leaving: Annotated[
        np.ndarray, Row(np.uint32, "2n", "edges that leave it, counted within the chunk", True)
    ]
    cut: Annotated[
        np.ndarray,
        Row(np.uint8, "n_cut", "directions that are left where not all edges are contracted", True),
    ]


#: The table: what every array of `Work` is.
TABLE: dict[str, Row] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(Work, include_extras=True).items()
}


class Memory(NamedTuple):
    """Where the arrays of `Work` lie. Kernels are handed this, and make them of it (`arrays_of`).

    To make so many arrays takes Python as long as a small image takes the kernels.

    Attributes:
        dense: [bytes] uint8.
        sparse: [bytes] uint8, of arrays little of which is touched.
        layout: [numbers] int64, offset and shape of each, in the order of the table.
    """

    dense: np.ndarray
    sparse: np.ndarray
    layout: np.ndarray

    @property
    def board(self) -> np.ndarray:
        """The array of this name, which is the first."""
        return self.dense[: 8 * int(self.layout[1])].view(np.int64)


def _arrays_of(typing: Any, dense: Any, sparse: Any, layout: Any) -> Any:
    kinds = [
        types.Array(from_dtype(np.dtype(row.dtype)), len(row.shape.split()), "C")
        for row in TABLE.values()
    ]
    signature = types.NamedTuple(kinds, Work)(dense, sparse, layout)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        dense, sparse, numbers = (
            context.make_array(kind)(context, builder, value).data
            for kind, value in zip(signature.args, args, strict=True)
        )
        word = numbers.type.pointee
        place, arrays = 0, []

        def next_number() -> Any:
            nonlocal place
            place += 1
            return builder.load(builder.gep(numbers, [word(place - 1)]))

        for kind, row in zip(kinds, TABLE.values(), strict=True):
            array = context.make_array(kind)(context, builder)
            start = builder.gep(sparse if row.is_sparse else dense, [next_number()])
            shape = [next_number() for _ in range(kind.ndim)]
            size = word(np.dtype(row.dtype).itemsize)
            strides = [size]
            for length in shape[:0:-1]:
                strides.insert(0, builder.mul(strides[0], length))
            data = builder.bitcast(start, array.data.type)
            populate_array(array, data, shape, strides, size, meminfo=None)
            arrays.append(array._getvalue())
        return context.make_tuple(builder, signature.return_type, arrays)

    return signature, generate


@llvm(_arrays_of)
def arrays_of(dense: np.ndarray, sparse: np.ndarray, layout: np.ndarray) -> Work:
    """The arrays that lie in a `Memory`, for as long as it is there."""
    numbers = iter(layout.tolist())
    return Work(
        *(
            np.ndarray(
                buffer=sparse if row.is_sparse else dense,
                dtype=row.dtype,
                offset=next(numbers),
                shape=[next(numbers) for _ in row.shape.split()],
            )
            for row in TABLE.values()
        )
    )


def working_memory(*of: Any, arena: Arena | None = None, **kinds: Any) -> Memory:
    """Memory for any image of some size; of most of it only the first part is touched.

    Args:
        of: See `layout`, as `kinds` are.
        kinds: Those by name.
        arena: Where to take it from.
    """
    dense, sparse, numbers = layout(*of, **kinds)
    memory = Memory(dense.allocate(arena), sparse.allocate(arena), numbers)
    memory.board[:] = CLOSED, 0, 0, 0
    return memory


@lru_cache(maxsize=64)
def layout(
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
) -> tuple[Block, Block, np.ndarray]:
    """The blocks of arrays that are touched and of sparse ones; offset and shape of each array.

    `chunks` of up to `rows` rows are for images of this size only; one chunk is for smaller ones.

    Args:
        num_pixels: Most pixels of an image.
        width: Of its rows.
        num_regions: Exact count to stop at, or 0.
        channels: C.
        boxes: Whether λ is not 0.
        lab: Whether Lab is compared.
        chunks: P.
        rows: Of pixels in a chunk.
        threads: Of the team.
    """
    chunk = num_pixels if chunks == 1 else rows * width
    # every pixel merges, or just enough of them; trees that end at a chunk's border are more
    most_regions = max(num_pixels // 2, num_regions, 1) + 2 * width * (chunks - 1)
    regions = min(num_pixels, most_regions)
    own = 0 if chunks == 1 else chunk  # a chunk alone works in the image's arrays
    around = 0 if chunks == 1 else 2 * width
    sizes = {
        "n": num_pixels,
        "2n": 2 * num_pixels,
        "n_cut": num_pixels if num_regions else 0,
        "W": width,
        "P": chunks,
        "P+1": chunks + 1,
        "c": chunk,
        "c_lab": chunk + around if lab else 0,
        "c_own": own,
        "2c_own": 2 * own,
        "c_box": own if boxes else 0,
        "m": regions,
        "m_box": regions if boxes else 0,
        "C": channels,
        "threads": threads,
        "table": table_size(width),
    }
    shapes = [tuple(_sized(d, sizes) for d in row.shape.split()) for row in TABLE.values()]
    blocks = [
        Block.of(
            [
                prod(shape) * np.dtype(row.dtype).itemsize if row.is_sparse == is_sparse else 0
                for row, shape in zip(TABLE.values(), shapes, strict=True)
            ],
            is_sparse,
        )
        for is_sparse in (False, True)
    ]
    numbers = [
        number
        for row, shape, *offsets in zip(
            TABLE.values(), shapes, *(block.offsets for block in blocks), strict=True
        )
        for number in (offsets[row.is_sparse], *shape)
    ]
    dense, sparse = blocks
    return dense, sparse, np.array(numbers, np.int64)


def _sized(dimension: str, sizes: dict[str, int]) -> int:
    return int(dimension) if dimension.isdigit() else sizes[dimension]
