"""Partitions as references between neighbours, by NumPy: the specification of `compiled`.

Sites (pixels, or the regions of a level, each standing where its first pixel does) come in the
order of their first pixels, and so do the regions that they are merged into. Then a site either
begins a region, which is the next one, or lies in one that began before, which a neighbour in the
row above or to the left belongs to most often. Four symbols say which:

| symbol | the site's region is |
|---|---|
| `LEFT` | that of the pixel before it |
| `UP` | that of the pixel above it |
| `NEW` | the next one, which begins here |
| `FAR` | that of a pixel of the row above, some steps aside; or told by its number |

The farther ones take a byte each (`step_of_code`): 0, 1, 2, … are +1, −1, +2, … steps from the
pixel above, and `TOLD` is none of them.
"""

import numpy as np

LEFT, UP, NEW, FAR = range(4)
#: How many steps aside are looked at, and the code of a region that is told by its number.
MOST_STEPS, TOLD = 24, 255


def step_of_code(code: np.ndarray) -> np.ndarray:
    """Steps aside that codes stand for: 0, 1, 2, 3 → 1, −1, 2, −2."""
    step = code.astype(np.int64) // 2 + 1
    return np.where(code % 2, -step, step)


def first_sites(label: np.ndarray, count: int) -> np.ndarray:
    """[count] int64, the first site of each region; −1 where a number is not used."""
    first = np.full(count, -1, np.int64)
    first[label[::-1]] = np.arange(len(label) - 1, -1, -1)
    return first


def neighbours(place: np.ndarray, offset: np.ndarray, site_of: np.ndarray | None) -> np.ndarray:
    """The site that the pixel at an offset from each place lies in; −1 outside of the image."""
    there = place + offset
    inside = (there >= 0) & (there < place)
    there = np.where(inside, there, 0)
    return np.where(inside, there if site_of is None else site_of[there], -1)


def encode(
    label: np.ndarray, place: np.ndarray, site_of: np.ndarray | None, width: int, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Symbols, codes of the far ones, the regions told by number, and the first pixel of each.

    Args:
        label: [n] int64, region of each site, numbered by first sites.
        place: [n] int64, first pixel of each site, ascending.
        site_of: [P] int64, site of each pixel; None where these are the pixels themselves.
        width: W.
        count: N.
    """

    def is_in(offset: int | np.ndarray, sites: np.ndarray) -> np.ndarray:
        steps = np.broadcast_to(np.asarray(offset, np.int64), sites.shape)
        other = neighbours(place[sites], steps, site_of)
        return (other >= 0) & (label[other] == label[sites])

    sites = np.arange(len(label))
    before = np.maximum.accumulate(np.concatenate([[-1], label[:-1]]))
    symbol = np.full(len(label), FAR, np.uint8)
    symbol[label > before] = NEW
    symbol[is_in(-width, sites)] = UP
    symbol[is_in(-1, sites)] = LEFT
    far = np.flatnonzero(symbol == FAR)
    code = np.full(len(far), TOLD, np.uint8)
    for candidate in range(2 * MOST_STEPS):
        open_ = np.flatnonzero(code == TOLD)
        step = int(step_of_code(np.array([candidate]))[0])
        code[open_[is_in(step - width, far[open_])]] = candidate
    told = label[far[code == TOLD]].astype(np.uint32)
    return symbol, code, told, place[first_sites(label, count)]


def decode(
    symbol: np.ndarray,
    code: np.ndarray,
    told: np.ndarray,
    place: np.ndarray,
    site_of: np.ndarray | None,
    width: int,
) -> np.ndarray:
    """[n] int64, region of each site: what `encode` was given, by following references."""
    sites = np.arange(len(symbol))
    offset = np.zeros(len(symbol), np.int64)
    offset[symbol == LEFT] = -1
    offset[symbol == UP] = -width
    far = np.flatnonzero(symbol == FAR)
    offset[far] = np.where(code == TOLD, 0, step_of_code(code) - width)
    refers = offset < 0
    reference = sites.copy()
    reference[refers] = neighbours(place[refers], offset[refers], site_of)
    label = np.empty(len(symbol), np.int64)
    new = symbol == NEW
    label[new] = np.arange(np.count_nonzero(new))
    label[far[code == TOLD]] = told
    while True:
        further = reference[reference]
        if np.array_equal(further, reference):
            return label[reference]
        reference = further


def pack(symbol: np.ndarray) -> np.ndarray:
    """Four symbols a byte, the first in its lowest bits."""
    four = np.pad(symbol, (0, -len(symbol) % 4)).reshape(-1, 4)
    return four[:, 0] | four[:, 1] << 2 | four[:, 2] << 4 | four[:, 3] << 6


def unpack(packed: np.ndarray, count: int) -> np.ndarray:
    """[count] uint8, the symbols again."""
    return (packed[:, None] >> np.arange(0, 8, 2, dtype=np.uint8) & 3).reshape(-1)[:count]
