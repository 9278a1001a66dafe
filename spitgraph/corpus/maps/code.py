"""The levels of a hierarchy as bytes, and back: all of them in little more than the finest one.

A region of level t + 1 is told once for each region of level t, where that begins, by which
neighbour's it is (see `plain`): what the finer levels say already is not said again. Symbols of
pixels, those of regions, and all that is rarer are then compressed each for themselves (Zstandard).
"""

import struct
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch

from spitgraph import kernels
from spitgraph.corpus.maps import plain
from spitgraph.extras import needs_extra

with needs_extra("corpus"):
    import pyarrow

#: What the bytes begin with; the digit is that of the layout.
MAGIC = b"SGL2"
#: Magic, W, H·W, levels.
HEADER = struct.Struct("<4sIQH")
#: Bytes of each stream, and of each part when compressed.
LENGTHS = struct.Struct("<7I4I")
#: Streams: symbols of pixels, codes, numbers; the same of all regions; in which order regions were
#: numbered.
STREAMS = (np.uint8, np.uint8, np.uint32, np.uint8, np.uint8, np.uint32, np.int32)
#: Which of them are compressed together; wider numbers first, so that all are aligned.
PARTS = ((0,), (3,), (2, 5, 1, 4), (6,))
LEVEL = 1
_CPU = torch.device("cpu")


class DamagedLevelsError(ValueError):
    """These bytes are no levels, or no longer."""


class Levels(NamedTuple):
    """The levels of one image.

    Attributes:
        parents: Region of level t → region of level t + 1, one array [n_t] int64 a level.
        counts: Regions of each level 0 … T; of level 0, the pixels.
        cluster: [P] int64, region of the last level of each pixel.
    """

    parents: list[np.ndarray]
    counts: list[int]
    cluster: np.ndarray


def levels_to_bytes(parents: Sequence[np.ndarray], counts: Sequence[int], width: int) -> bytes:
    """The bytes that hold nested partitions of an image.

    Args:
        parents: T arrays [n_t] int64, region of level t → region of level t + 1; every region of
            level t + 1 has one of level t.
        counts: n_0 = H·W, n_1, …, n_T.
        width: W.

    Raises:
        ValueError: A region is of no pixel.
    """
    canonical, orders = by_first_sites(parents, counts)
    streams = encoded(canonical, counts, width)
    shift = [order - np.arange(len(order)) for order in orders]  # mostly 0, or the same
    order = np.concatenate(shift) if shift else np.empty(0, np.int32)
    codec = pyarrow.Codec("zstd", compression_level=LEVEL)
    contents = [
        np.ascontiguousarray(stream, kind).tobytes()
        for stream, kind in zip([*streams, order], STREAMS, strict=True)
    ]
    wholes = [b"".join(contents[stream] for stream in part) for part in PARTS]
    packed = [codec.compress(whole, asbytes=True) if whole else b"" for whole in wholes]
    lengths = LENGTHS.pack(*map(len, contents), *map(len, packed))
    sizes = np.array(counts[1:], np.uint32).tobytes()
    header = HEADER.pack(MAGIC, width, counts[0], len(parents))
    return b"".join([header, sizes, lengths, *packed])


def levels_of_bytes(content: bytes) -> Levels:
    """What `levels_to_bytes` was given.

    Raises:
        DamagedLevelsError: These are no such bytes, or damaged ones.
    """
    try:
        width, counts, streams = parts_of(content)
    except (struct.error, ValueError, OSError) as error:
        raise DamagedLevelsError(f"no levels of an image: {error}") from error
    if len(counts) == 1:
        return Levels([], counts, np.arange(counts[0]))
    *streams, order = streams
    parents, levels = decoded(streams, counts, width)
    if len(order):
        if len(order) != sum(counts[1:]):
            raise DamagedLevelsError("there is not a number for every region")
        parents, levels = renumbered(parents, levels, order.astype(np.int64), counts)
    return Levels(parents, counts, levels)


def parts_of(content: bytes) -> tuple[int, list[int], list[np.ndarray]]:
    """Width, counts and streams."""
    magic, width, pixels, depth = HEADER.unpack_from(content)
    if magic != MAGIC or width == 0:
        raise ValueError(f"they begin with {content[:4]!r}, not with {MAGIC!r}")
    place = HEADER.size
    counts = [pixels, *np.frombuffer(content, np.uint32, depth, place).tolist()]
    place += 4 * depth
    lengths = LENGTHS.unpack_from(content, place)
    place += LENGTHS.size
    # every pixel and every region below the last level takes a symbol, and no stream holds more
    most = 4 * sum(counts) + 4
    if max(lengths[:7]) > most or any(b > a for a, b in zip(counts, counts[1:], strict=False)):
        raise ValueError("a stream is larger than the image")
    sizes = [np.dtype(kind).itemsize for kind in STREAMS]
    if any(length % size for length, size in zip(lengths, sizes, strict=False)):
        raise ValueError("a stream ends within a number")
    codec, streams = pyarrow.Codec("zstd"), [np.empty(0, kind) for kind in STREAMS]
    for part, packed in zip(PARTS, lengths[7:], strict=True):
        length = sum(lengths[stream] for stream in part)
        held = content[place : place + packed]
        whole = codec.decompress(held, length, asbytes=True) if length else b""
        if len(whole) != length:
            raise ValueError("a part is cut off")
        start = 0
        for stream in part:
            count = lengths[stream] // sizes[stream]
            streams[stream] = np.frombuffer(whole, STREAMS[stream], count, start)
            start += lengths[stream]
        place += packed
    needed = [-(-counts[0] // 4), -(-sum(counts[1:-1]) // 4)] if depth else [0, 0]
    if [len(streams[0]), len(streams[3])] != needed:
        raise ValueError("there is not a symbol for every region")
    return width, counts, streams


def by_first_sites(
    parents: Sequence[np.ndarray], counts: Sequence[int]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Parent maps numbered by first sites, level by level, and the numbers that regions had.

    The latter are left out where they are the same.
    """
    orders: list[np.ndarray] = []
    canonical: list[np.ndarray] = []
    same = True
    for parent, count in zip(parents, counts[1:], strict=True):
        label = parent[orders[-1]] if orders else parent.copy()
        if len(label) and not 0 <= int(label.min()) <= int(label.max()) < count:
            raise ValueError(f"expected regions 0 … {count - 1}, got {label.min()} … {label.max()}")
        number, order = np.empty(count, np.int64), np.full(count, -1, np.int64)
        if kernels.fused(_CPU, "corpus"):
            from spitgraph.corpus.maps import compiled

            same &= bool(compiled.number_by_first(label, number, order))
        else:
            first = plain.first_sites(label, count)
            order = first.argsort(kind="stable") if first.min(initial=0) >= 0 else order
            number[order] = np.arange(count)
            same &= bool(np.array_equal(order, np.arange(count)))
            label = number[label]
        if count and int(order[-1]) < 0:
            raise ValueError(f"of {count} regions of a level, some are empty")
        canonical.append(label)
        orders.append(order)
    return canonical, [] if same else orders


def renumbered(
    parents: list[np.ndarray], cluster: np.ndarray, order: np.ndarray, counts: list[int]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Levels with the numbers that regions had."""
    ends = list(accumulate(counts[1:]))
    orders = np.split(order, ends[:-1])
    for numbers, count in zip(orders, counts[1:], strict=True):
        numbers += np.arange(count)
        if not np.array_equal(np.sort(numbers), np.arange(count)):
            raise DamagedLevelsError("regions share a number")
    given = [orders[0][parents[0]]]
    for parent, below, own in zip(parents[1:], orders, orders[1:], strict=False):
        label = np.empty_like(parent)
        label[below] = own[parent]
        given.append(label)
    return given, orders[-1][cluster]


def encoded(parents: list[np.ndarray], counts: Sequence[int], width: int) -> list[np.ndarray]:
    """Symbols (packed), codes and numbers of pixels, and of the regions of all levels."""
    if not parents:
        return [np.empty(0, kind) for kind in STREAMS[:-1]]
    is_compiled = kernels.fused(_CPU, "corpus")
    encode, pack = (compiled_encode, compiled_pack) if is_compiled else (plain.encode, plain.pack)
    finest = parents[0]
    symbol, code, told, place = encode(finest, np.arange(counts[0]), None, width, counts[1])
    level = np.arange(counts[1])  # region of this level of each of the finest
    above = []
    for parent, count in zip(parents[1:], counts[2:], strict=True):
        *streams, place = encode(parent, place, level[finest], width, count)
        above.append(streams)
        level = parent[level]
    joined = [np.concatenate(streams) for streams in zip(*above, strict=True)]
    symbols, *others = joined or [np.empty(0, np.uint8)] * 3
    return [pack(symbol), code, told, pack(symbols), *others]


def decoded(
    streams: list[np.ndarray], counts: list[int], width: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Parent maps numbered by first sites, and the region of the last level of each pixel."""
    read = compiled_levels if kernels.fused(_CPU, "corpus") else plain_levels
    return read(streams, counts, width)


def plain_levels(
    streams: list[np.ndarray], counts: list[int], width: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Parent maps and the last level, by NumPy."""
    symbols, codes, numbers, above, *others = streams
    unpacked = plain.unpack(above, sum(counts[1:-1]))
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = [
        (plain.unpack(symbols, counts[0]), codes, numbers)
    ]
    codes, numbers = others
    for symbol in np.split(unpacked, list(accumulate(counts[1:-1])))[:-1]:
        far = np.count_nonzero(symbol == plain.FAR)
        tells = np.count_nonzero(codes[:far] == plain.TOLD)
        parts.append((symbol, codes[:far], numbers[:tells]))
        codes, numbers = codes[far:], numbers[tells:]
    parents: list[np.ndarray] = []
    place, site_of = np.arange(counts[0]), None
    try:
        for (symbol, code, told), count in zip(parts, counts[1:], strict=True):
            label = plain.decode(symbol, code, told, place, site_of, width)
            if len(label) and int(label.max()) >= count:
                raise DamagedLevelsError("there are more regions than were counted")
            first = plain.first_sites(label, count)
            if first.min(initial=0) < 0:
                raise DamagedLevelsError("some regions are empty")
            place, site_of = place[first], label if site_of is None else label[site_of]
            parents.append(label)
    except (IndexError, ValueError) as error:
        raise DamagedLevelsError(f"references lead nowhere: {error}") from error
    assert site_of is not None  # there is a level
    return parents, site_of


def compiled_levels(
    streams: list[np.ndarray], counts: list[int], width: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Parent maps and the last level, by Numba."""
    from spitgraph.corpus.maps import compiled

    parents, cluster = np.empty(sum(counts[:-1]), np.int64), np.empty(counts[0], np.int64)
    if not compiled.decode(*streams, np.array(counts), width, parents, cluster):
        raise DamagedLevelsError("references lead nowhere")
    ends = list(accumulate(counts[:-1]))
    return [parents[end - count : end] for count, end in zip(counts, ends, strict=False)], cluster


def compiled_encode(
    label: np.ndarray, place: np.ndarray, site_of: np.ndarray | None, width: int, regions: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """As `plain.encode`, by Numba."""
    from spitgraph.corpus.maps import compiled

    count = len(label)
    symbol, code = np.empty(count, np.uint8), np.empty(count, np.uint8)
    told, first = np.empty(count, np.uint32), np.empty(regions, np.int64)
    streams = (symbol, code, told, first)
    if site_of is None:
        far, tells = compiled.encode_pixels(label, width, *streams)
    else:
        far, tells = compiled.encode_regions(label, place, site_of, width, *streams)
    return symbol, code[:far], told[:tells], first


def compiled_pack(symbol: np.ndarray) -> np.ndarray:
    """As `plain.pack`, by Numba."""
    from spitgraph.corpus.maps import compiled

    return compiled.pack(symbol)
