"""An image in a frame: where pixels on borders change sides.

Pixels of a phase lie side by side, and have neighbours all around.
"""

from typing import NamedTuple

import numpy as np

from spitgraph.contraction.fine.cpu.room import take
from spitgraph.kernels.cpu.jit import kernel

#: Of so many pixels of a phase, one may be listed; see `Share`.
LISTED = 8


class Frame(NamedTuple):
    """Pixels of even columns come first, then those of odd ones, each with a frame around.

    Attributes:
        label: [2·(H + 2)·S] int32, S = ⌈W / 2⌉ + 2, regions, −1 around the image.
        marked: As `label`, the last pass in which a pixel moved, or a neighbour across a side.
    """

    label: np.ndarray
    marked: np.ndarray


class Columns(NamedTuple):
    """Every second column of an image in its frame.

    Attributes:
        first: 0 or 1.
        length: Pixels of a row.
        start: Place of the first pixel.
        stride: From a place to that below.
        left: From a place to that of the pixel on the left.
        right: And on the right.
    """

    first: int
    length: int
    start: int
    stride: int
    left: int
    right: int


class Share(NamedTuple):
    """What one thread goes through: rows of pixels, and regions that are its own.

    Attributes:
        begin: First row.
        end: Behind the last.
        first: First region.
        beyond: Behind the last.
        place: [pixels of a phase + 1] int64, of those that move their places in `Frame.label`.
        pixel: The same in the image.
        source: As many int32, the regions that they leave.
        target: And those that they go to.
        listed: [2, 4, pixels of a phase / LISTED] int64, places of the pixels of each phase that
            were marked in even passes, and in odd ones.
        counts: [2, 4] int64, how many; −1 where there were too many to be listed.
    """

    begin: int
    end: int
    first: int
    beyond: int
    place: np.ndarray
    pixel: np.ndarray
    source: np.ndarray
    target: np.ndarray
    listed: np.ndarray
    counts: np.ndarray


@kernel
def columns_of(height: int, width: int, first: int) -> Columns:
    """The even columns, or the odd ones."""
    stride = (width + 1) // 2 + 2
    half = (height + 2) * stride
    length, start = (width + 1 - first) // 2, first * half + stride + 1
    if first == 0:
        return Columns(first, length, start, stride, half - 1, half)
    return Columns(first, length, start, stride, -half, 1 - half)


@kernel
def empty_frame(height: int, width: int, room: np.ndarray) -> tuple[Frame, np.ndarray]:
    """Frame of an image, to be filled; and the room that is left."""
    places = 4 * 2 * (height + 2) * ((width + 1) // 2 + 2)
    label, room = take(room, places)
    marked, room = take(room, places)
    frame = Frame(label.view(np.int32), marked.view(np.int32))
    stride = (width + 1) // 2 + 2
    for row in (0, height + 1, height + 2, 2 * height + 3):
        frame.label[row * stride : (row + 1) * stride] = -1
    return frame, room


@kernel
def empty_share(
    begin: int, end: int, first: int, beyond: int, width: int, room: np.ndarray
) -> tuple[Share, np.ndarray]:
    """Rows [begin, end) and regions [first, beyond), no pixels yet; and the room that is left."""
    most = ((end - begin + 1) // 2) * ((width + 1) // 2) + 1  # one is written before it is known
    place, room = take(room, 8 * most)
    pixel, room = take(room, 8 * most)
    source, room = take(room, 4 * most)
    target, room = take(room, 4 * most)
    length = -(-most // LISTED)
    listed, room = take(room, 8 * 8 * length)
    share = Share(
        begin,
        end,
        first,
        beyond,
        place.view(np.int64),
        pixel.view(np.int64),
        source.view(np.int32),
        target.view(np.int32),
        listed.view(np.int64).reshape(2, 4, length),
        np.zeros((2, 4), np.int64),
    )
    return share, room


@kernel
def fill_rows(
    frame: Frame, labels: np.ndarray, begin: int, end: int, height: int, width: int
) -> None:
    """Rows [begin, end) of the regions [H·W] uint32 of an image, in which nothing has moved."""
    stride = (width + 1) // 2 + 2
    for y in range(begin, end):
        for start in ((y + 1) * stride, (height + y + 3) * stride):
            beyond = start + stride
            frame.label[start] = frame.label[beyond - 2] = frame.label[beyond - 1] = -1
            frame.marked[start:beyond] = 0
        even, odd, row = rows_of(frame, labels, y, height, width)
        for x in range(len(odd)):
            even[x], odd[x] = row[2 * x], row[2 * x + 1]
        if width % 2 == 1:
            even[len(odd)] = row[width - 1]


@kernel
def read_rows(
    frame: Frame, labels: np.ndarray, begin: int, end: int, height: int, width: int
) -> None:
    """The other way round."""
    for y in range(begin, end):
        even, odd, row = rows_of(frame, labels, y, height, width)
        for x in range(len(odd)):
            row[2 * x], row[2 * x + 1] = even[x], odd[x]
        if width % 2 == 1:
            row[width - 1] = even[len(odd)]


@kernel
def rows_of(
    frame: Frame, labels: np.ndarray, y: int, height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A row in the frame, its pixels of even columns and of odd ones; and in the image."""
    half = (height + 2) * ((width + 1) // 2 + 2)
    even = (y + 1) * ((width + 1) // 2 + 2) + 1
    return (
        frame.label[even : even + (width + 1) // 2],
        frame.label[half + even : half + even + width // 2],
        labels[y * width : (y + 1) * width],
    )
