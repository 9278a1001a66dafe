"""A switch for large images: memory that is freed stays at hand until the switch's end.

Nothing in this package turns it by itself: it tells the C library of the whole process what to do.
"""

import ctypes
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import SupportsIndex

from spitgraph.checks import integer

#: Parameters of glibc's `mallopt`, and what they are set to: within a call, and after it.
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
WITHIN = ((MMAP_MAX, 0), (TRIM_THRESHOLD, -1))
AFTER = ((MMAP_MAX, 2**16), (TRIM_THRESHOLD, 2**26), (MMAP_THRESHOLD, 2**25))


#: What a pixel may need; of it, what is used comes in huge pages.
BYTES_PER_PIXEL = 300
HUGE_PAGES, PAGE = 14, 4096


@cache
def _glibc() -> ctypes.CDLL | None:
    if platform.libc_ver()[0] != "glibc":
        return None
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_size_t
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_size_t]
    library.madvise.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
    return library


@contextmanager
def kept_at_hand(num_pixels: SupportsIndex = 0) -> Iterator[None]:
    """Within it, memory that is freed serves what is allocated next; at its end it is given back.

    For plain operations on images of some million pixels, one after the other:

        with spitgraph.memory.kept_at_hand(2048 * 2048):
            for path in paths:
                tokenize(path)

    glibc returns blocks of more than 32 MiB to the system as soon as they are freed, and the system
    clears every page that it hands out anew: for the temporary arrays of an image of some million
    pixels that takes longer than all arithmetic. Where the C library is another one, this does
    nothing. It is the process, not the thread, whose memory is kept.

    Afterwards glibc keeps up to 64 MiB, as it does by itself once it has seen large blocks freed.

    Args:
        num_pixels: Of the largest image: as much as plain operations need for it is set aside at
            once, in large pages.

    Raises:
        ValueError, TypeError: It is not a whole number of at least 0.
    """
    num_pixels, library = integer(num_pixels, "num_pixels", minimum=0), _glibc()
    if library is None:
        yield
        return
    _set(library.mallopt, WITHIN)
    if num_pixels:
        _reserve(library, BYTES_PER_PIXEL * num_pixels)
    try:
        yield
    finally:
        _set(library.mallopt, AFTER)
        library.malloc_trim(0)


def _set(mallopt: Callable[[int, int], int], parameters: tuple[tuple[int, int], ...]) -> None:
    for parameter, value in parameters:
        mallopt(parameter, value)


def _reserve(library: ctypes.CDLL, length: int) -> None:
    """Let the heap grow at once, by pages that the system hands out in blocks of 2 MiB."""
    block = library.malloc(length)
    if block:
        start = -(-block // PAGE) * PAGE
        library.madvise(start, block + length - start, HUGE_PAGES)
        library.free(block)  # the heap keeps it, and nothing of it was touched
