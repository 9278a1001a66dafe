"""The same as `plain`, compiled for the CPU."""

import numpy as np

from spitgraph.corpus.maps.plain import FAR, LEFT, MOST_STEPS, NEW, TOLD, UP
from spitgraph.kernels.cpu.jit import kernel, part


def warm_up() -> None:
    """Write two levels, and read them."""
    label = np.array([0, 1, 0, 1])
    symbol, code = np.empty(4, np.uint8), np.empty(4, np.uint8)
    told, first = np.empty(4, np.uint32), np.empty(3, np.int64)
    encode_pixels(label, 2, symbol, code, told, first)
    packed = pack(symbol)
    encode_regions(np.array([0, 0]), first[:2], label, 2, symbol, code, told, first)
    for stream in (packed, code, told):
        stream.setflags(write=False)  # as bytes are that were read
    counts = np.array([4, 2, 1])
    decode(packed, code[:0], told, packed, code, told, counts, 2, np.empty(6, np.int64), label)
    number_by_first(label, np.empty(2, np.int64), first[:2])


@kernel
def number_by_first(label: np.ndarray, number: np.ndarray, order: np.ndarray) -> bool:
    """Number regions by their first sites, in place; whether they were so.

    Args:
        label: [n] int64, read and written.
        number: [N] int64, written: the new number of each region.
        order: [N] int64, written: the old number of each region.
    """
    number[:] = -1
    count, same = 0, True
    for i in range(len(label)):
        region = label[i]
        if number[region] < 0:
            number[region] = count
            order[count] = region
            same &= region == count
            count += 1
        label[i] = number[region]
    return same


@part
def step_of(code: int) -> int:
    """Steps aside that a code stands for."""
    return -(code // 2 + 1) if code % 2 else code // 2 + 1


@kernel
def pack(symbol: np.ndarray) -> np.ndarray:
    """Four symbols a byte, the first in its lowest bits."""
    packed = np.zeros((len(symbol) + 3) // 4, np.uint8)
    for i in range(len(symbol)):
        packed[i >> 2] |= symbol[i] << ((i & 3) * 2)
    return packed


@kernel
def encode_pixels(
    label: np.ndarray,
    width: int,
    symbol: np.ndarray,
    code: np.ndarray,
    told: np.ndarray,
    first: np.ndarray,
) -> tuple[int, int]:
    """Symbols of pixels; how many codes there are, and how many regions told by number.

    Args:
        label: [P] int64, region of each pixel, numbered by first pixels.
        width: W.
        symbol: [P] uint8, written.
        code: [P] uint8, written as far as there are codes.
        told: [P] uint32, the same of regions told by number.
        first: [N] int64, written: the first pixel of each region.
    """
    count, far, tells = 0, 0, 0
    for p in range(len(label)):
        region = label[p]
        if p and label[p - 1] == region:
            symbol[p] = LEFT
        elif p >= width and label[p - width] == region:
            symbol[p] = UP
        elif region == count:
            symbol[p] = NEW
            first[count] = p
            count += 1
        else:
            symbol[p] = FAR
            code[far] = TOLD
            for candidate in range(2 * MOST_STEPS):
                there = p - width + step_of(candidate)
                if 0 <= there < p and label[there] == region:
                    code[far] = candidate
                    break
            if code[far] == TOLD:
                told[tells] = region
                tells += 1
            far += 1
    return far, tells


@kernel
def encode_regions(
    label: np.ndarray,
    place: np.ndarray,
    site_of: np.ndarray,
    width: int,
    symbol: np.ndarray,
    code: np.ndarray,
    told: np.ndarray,
    first: np.ndarray,
) -> tuple[int, int]:
    """The same of regions that stand at places; `site_of` is the region of each pixel."""
    count, far, tells = 0, 0, 0
    for j in range(len(label)):
        region, p = label[j], place[j]
        if p and label[site_of[p - 1]] == region:
            symbol[j] = LEFT
        elif p >= width and label[site_of[p - width]] == region:
            symbol[j] = UP
        elif region == count:
            symbol[j] = NEW
            first[count] = p
            count += 1
        else:
            symbol[j] = FAR
            code[far] = TOLD
            for candidate in range(2 * MOST_STEPS):
                there = p - width + step_of(candidate)
                if 0 <= there < p and label[site_of[there]] == region:
                    code[far] = candidate
                    break
            if code[far] == TOLD:
                told[tells] = region
                tells += 1
            far += 1
    return far, tells


@kernel
def decode(
    symbols: np.ndarray,
    codes: np.ndarray,
    numbers: np.ndarray,
    above: np.ndarray,
    further: np.ndarray,
    others: np.ndarray,
    counts: np.ndarray,
    width: int,
    parents: np.ndarray,
    cluster: np.ndarray,
) -> bool:
    """Regions of all levels; whether the references lead somewhere, as those of whole bytes do.

    Args:
        symbols: [⌈P/4⌉] uint8, symbols of the pixels, packed.
        codes: uint8, of those that are `FAR`.
        numbers: uint32, of those that are `TOLD`.
        above: [⌈n/4⌉] uint8, symbols of the regions of all levels but the last.
        further: uint8, of those that are `FAR`.
        others: uint32, of those that are `TOLD`.
        counts: [T + 1] int64, pixels P and regions of each level.
        width: W.
        parents: [P + n] int64, written: parent maps of all levels, one after the other.
        cluster: [P] int64, written: region of the last level of each pixel.
    """
    pixels, regions = counts[0], counts[1]
    finest, place = parents[:pixels], np.empty(regions + 1, np.int64)
    if not decode_pixels(symbols, codes, numbers, width, finest, place):
        return False
    level = np.arange(regions)
    start, far, tells = 0, 0, 0
    for t in range(2, len(counts)):
        below, begin = counts[t - 1], pixels + start
        label, first = parents[begin : begin + below], np.empty(below + 1, np.int64)
        far, tells = decode_regions(
            *(above, start, further, far, others, tells),
            *(place, level, finest, width, label, first, counts[t]),
        )
        if far < 0:
            return False
        for i in range(regions):
            level[i] = label[level[i]]
        place, start = first, start + below
    for p in range(pixels):
        cluster[p] = level[finest[p]]
    return True


@kernel
def symbols_of(packed: np.ndarray) -> tuple[int, int]:
    """How many symbols are `NEW`, and how many `FAR`."""
    new, far = 0, 0
    for i in range(len(packed)):
        high, low = packed[i] >> 1 & 0x55, packed[i] & 0x55
        for shift in range(0, 8, 2):
            new += np.int64((high & ~low) >> shift & 1)
            far += np.int64((high & low) >> shift & 1)
    return new, far


@kernel
def decode_pixels(
    packed: np.ndarray,
    code: np.ndarray,
    told: np.ndarray,
    width: int,
    label: np.ndarray,
    first: np.ndarray,
) -> bool:
    """Regions of pixels, and the first pixel of each; whether references lead somewhere.

    Args:
        packed: Symbols of the pixels.
        code: Of those that are `FAR`.
        told: Numbers of regions, of those that are `TOLD`.
        width: W.
        label: [P] int64, written: the region of each pixel.
        first: [N + 1] int64, written: the first pixel of each of N regions.
    """
    regions, count, far, tells, region = len(first) - 1, 0, 0, 0, 0
    # counted before, so that none of it leads out of `first` and `code`
    if symbols_of(packed) != (regions, len(code)):
        return False
    label[:1] = 0
    for p in range(len(label)):
        symbol = np.int64(packed[p >> 2] >> ((p & 3) * 2) & 3)
        above = label[max(p - width, 0)]
        # no branch: three symbols are equally likely, and what is next cannot be foreseen
        is_up, is_new = np.int64(symbol == UP), np.int64(symbol == NEW)
        region += (above - region) * is_up + (count - region) * is_new
        first[count] = p
        count += is_new
        if symbol == FAR:
            if code[far] == TOLD:
                if tells == len(told) or told[tells] >= count:
                    return False
                region = np.int64(told[tells])
                tells += 1
            else:
                there = p - width + step_of(np.int64(code[far]))
                if not 0 <= there < p:
                    return False
                region = label[there]
            far += 1
        label[p] = region
    return count == regions


@kernel
def decode_regions(
    packed: np.ndarray,
    start: int,
    code: np.ndarray,
    far: int,
    told: np.ndarray,
    tells: int,
    place: np.ndarray,
    level: np.ndarray,
    finest: np.ndarray,
    width: int,
    label: np.ndarray,
    first: np.ndarray,
    regions: int,
) -> tuple[int, int]:
    """The same of the regions of a level; where in codes and numbers the next level begins.

    Args:
        packed: Symbols of all levels.
        start: Of this level's.
        code: Codes of all levels.
        far: Of this level's.
        told: Numbers of all levels.
        tells: Of this level's.
        place: [n] int64, first pixel of each region.
        level: [N1] int64, region of this level that each one of the finest level lies in.
        finest: [P] int64, region of the finest level of each pixel.
        width: W.
        label: [n] int64, written: what each is merged into.
        first: [n + 1] int64, written: the first pixel of each of N of those.
        regions: N.
    """
    count = 0
    label[:1] = 0
    for j in range(len(label)):
        p, i = place[j], start + j
        symbol = np.int64(packed[i >> 2] >> ((i & 3) * 2) & 3)
        there = p - width + (width - 1) * np.int64(symbol == LEFT)
        if symbol == FAR:
            if far == len(code):
                return -1, -1
            far += 1
            if code[far - 1] == TOLD:
                if tells == len(told) or told[tells] >= count:
                    return -1, -1
                label[j] = told[tells]
                tells += 1
                continue
            there += step_of(np.int64(code[far - 1]))
            if there >= p:
                return -1, -1
        known = label[level[finest[max(there, 0)]]]
        is_new = np.int64(symbol == NEW)
        label[j] = known + (count - known) * is_new
        first[count] = p
        count += is_new
    return (far, tells) if count == regions else (-1, -1)
