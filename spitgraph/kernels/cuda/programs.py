"""What a program works on: `BLOCK` elements of one image of the batch.

A launch has a row of programs for every image, as many as its largest image needs. A table, one
column an image, tells where each image's elements are.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs

from collections.abc import Sequence
from itertools import accumulate

import torch
import triton.language as tl
from jaxtyping import Int64
from torch import Tensor

from spitgraph.kernels.cuda.jit import kernel, on_device

#: Rows of a table of images: number of the image's first element in the batch (pixel or region),
#: count of its elements, height and width in pixels. Whoever needs more puts rows below.
START, COUNT, HEIGHT, WIDTH = map(tl.constexpr, range(4))


def image_table(
    counts: Sequence[int],
    heights: Sequence[int],
    widths: Sequence[int],
    *more: Sequence[int],
    device: torch.device,
) -> Int64[Tensor, "R B"]:
    """The table of images of so many elements each, copied to the device without waiting."""
    return on_device([starts(counts), list(counts), list(heights), list(widths), *more], device)


def starts(counts: Sequence[int]) -> list[int]:
    """Number of each image's first element, the images one after the other."""
    return list(accumulate(counts, initial=0))[:-1]


@kernel
def own_elements(table, num_images, BLOCK: tl.constexpr):
    """This program's image, and of its elements: the first one's number, their count.

    Then those that are the program's own, numbered within the image; and which of them exist.
    """
    image = tl.program_id(1)
    start = tl.load(table + num_images * START + image).to(tl.int32)
    count = tl.load(table + num_images * COUNT + image).to(tl.int32)
    local = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    return image, start, count, local, local < count


@kernel
def own_pixels(table, num_images, BLOCK: tl.constexpr):
    """This program's image, and of its pixels: the first one's number, their count; its sides.

    Then those that are the program's own, numbered within the image; where they are; which exist.
    """
    image, start, count, local, inside = own_elements(table, num_images, BLOCK)
    height = tl.load(table + num_images * HEIGHT + image).to(tl.int32)
    width = tl.load(table + num_images * WIDTH + image).to(tl.int32)
    y = local // width
    x = local - y * width
    return image, start, count, height, width, local, y, x, inside


@kernel
def next_pixel(SIDE: tl.constexpr, local, y, x, height, width, inside):
    """The pixel to the right, below, to the left or above, and whether there is one."""
    if SIDE == 0:
        other = local + 1
        there = inside & (x < width - 1)
    elif SIDE == 1:
        other = local + width
        there = inside & (y < height - 1)
    elif SIDE == 2:
        other = local - 1
        there = inside & (x > 0)
    else:
        other = local - width
        there = inside & (y > 0)
    return other, there


@kernel
def own_row(num_elements, BLOCK: tl.constexpr):
    """This program's elements of a single row of them, and which exist."""
    element = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    return element, element < num_elements


@kernel
def reserved(count, wanted):
    """A place for each element that wants one, of a list as long as `count` says; it grows."""
    wanted = wanted.to(tl.int32)
    before = tl.cumsum(wanted, 0) - wanted
    return tl.atomic_add(count, tl.sum(wanted, 0).to(tl.int64), sem="relaxed") + before


@kernel
def add_up(total, values):
    """Add the sum of a program's values to a number that other programs add to as well."""
    tl.atomic_add(total, tl.sum(values.to(tl.int64), 0), sem="relaxed")
