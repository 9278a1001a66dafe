"""What regions look like, in plain loops over the pixels of one image (METHOD 1).

Sums are integers and means are doubles, which `describe_regions` rounds to single precision.
"""

from dataclasses import dataclass, field

from spitgraph.regions.describe import COLOUR_STEPS


@dataclass
class Region:
    """One region.

    Attributes:
        size: Pixels.
        box: x_min, y_min, x_max, y_max; max exclusive.
        centroid: Mean x and y of the pixels.
        colour: Mean of red, green and blue, in whole steps of 2⁻²⁴ a pixel (METHOD 2.8).
        borders: Of each region that touches it, how many pixel sides they share.
    """

    size: int
    box: tuple[int, int, int, int]
    centroid: tuple[float, float]
    colour: list[float]
    borders: dict[int, int] = field(default_factory=dict)


def describe_regions(image: list[list[list[float]]], label: list[list[int]]) -> list[Region]:
    """The regions of an image, by number.

    Args:
        image: Red, green and blue in [0, 1], each row by row.
        label: Region of each pixel, 0 … N − 1.
    """
    height, width = len(label), len(label[0])
    pixels = [(y, x) for y in range(height) for x in range(width)]
    regions = []
    for number in range(1 + max(map(max, label))):
        own = [(y, x) for y, x in pixels if label[y][x] == number]
        ys, xs = [y for y, _ in own], [x for _, x in own]
        size = len(own)
        steps = [sum(round(table[y][x] * COLOUR_STEPS) for y, x in own) for table in image]
        regions.append(
            Region(
                size=size,
                box=(min(xs), min(ys), max(xs) + 1, max(ys) + 1),
                centroid=(sum(xs) / size, sum(ys) / size),
                colour=[total / size / COLOUR_STEPS for total in steps],
            )
        )
    for y, x in pixels:
        for v, u in ((y, x + 1), (y + 1, x), (y, x - 1), (y - 1, x)):
            if 0 <= v < height and 0 <= u < width and label[v][u] != label[y][x]:
                borders = regions[label[y][x]].borders
                borders[label[v][u]] = borders.get(label[v][u], 0) + 1
    return regions
