"""METHOD 4 in plain loops over the regions of one image: the specification, to be read first.

In doubles; other bodies are tested against it to within the rounding of single precision.
"""

import math

from spitgraph.extractors.interpolation.bandwidth import sigma_of
from spitgraph.pixels import CONTRAST, GRADIENT_CONTRAST

#: A value of each pixel, row by row.
Table = list[list[float]]


def token_vectors(
    image: list[Table],
    label: list[list[int]],
    bins: int = 16,
    *,
    sigma: float | None = None,
    gradient: bool = True,
    mode: str = "bilinear",
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
) -> list[list[float]]:
    """The vector of each region: bins row by row, in each its features (METHOD 4.4).

    Args:
        image: Red, green and blue in [0, 1].
        label: Region of each pixel, 0 … N − 1.
        bins: β.
        sigma: σ; by default, what goes with β.
        gradient: Whether the texture is part of it.
        mode: `"bilinear"` or `"nearest"`.
        mean: With `std`, colour is (x − mean)/std, channel by channel, and not contrast-adjusted.
        std: See `mean`.
    """
    sigma = sigma_of(bins) if sigma is None else sigma
    height, width = len(label), len(label[0])
    longest = max(height, width)
    if mean is None or std is None:
        colour = [
            [[contrast(x, *of) for x in row] for row in table]
            for table, of in zip(image, CONTRAST, strict=True)
        ]
    else:
        colour = [
            [[(x - m) / s for x in row] for row in table]
            for table, m, s in zip(image, mean, std, strict=True)
        ]
    grey = [
        [sum(values) / 3 for values in zip(*rows, strict=True)] for rows in zip(*image, strict=True)
    ]
    vectors = []
    for region in range(1 + max(map(max, label))):
        own = [(y, x) for y in range(height) for x in range(width) if label[y][x] == region]
        position = [(2 * y / longest - 1, 2 * x / longest - 1) for y, x in own]
        histograms = [joint_histogram(position, bins, sigma)]
        if gradient:
            texture = [image_gradient(grey, y, x) for y, x in own]
            histograms.append(joint_histogram(texture, bins, sigma))
        mask = [[float(number == region) for number in row] for row in label]
        ys, xs = (box_positions(list(at), bins) for at in zip(*own, strict=True))
        vector = []
        for i, y in enumerate(ys):
            for j, x in enumerate(xs):
                covered = sample(mask, y, x, mode)
                vector += [sample(table, y, x, mode) * covered for table in colour]
                vector += [histogram[i][j] for histogram in histograms]
        vectors.append(vector)
    return vectors


def contrast(x: float, m: float, a: float) -> float:
    """Kumaraswamy contrast of a colour, from [0, 1] to [−1, 1], m to 0 (METHOD 3.1.1)."""
    b = -math.log(2) / math.log(1 - m**a)
    return 2 * (1 - (1 - x**a) ** b) - 1


def box_positions(at: list[int], bins: int) -> list[float]:
    """β positions from the first of a region's pixels to the last (METHOD 4.1)."""
    low, high = min(at), max(at)
    return [low + k * (high - low) / (bins - 1) for k in range(bins)]


def sample(table: Table, y: float, x: float, mode: str) -> float:
    """A value between pixels; neighbours beyond the image are clamped to it (METHOD 4.1)."""
    if mode == "nearest":
        return table[round(y)][round(x)]
    top, left = math.floor(y), math.floor(x)
    bottom, right = min(top + 1, len(table) - 1), min(left + 1, len(table[0]) - 1)
    dy, dx = y - top, x - left
    above = (1 - dx) * table[top][left] + dx * table[top][right]
    below = (1 - dx) * table[bottom][left] + dx * table[bottom][right]
    return (1 - dy) * above + dy * below


def joint_histogram(values: list[tuple[float, float]], bins: int, sigma: float) -> Table:
    """Where a region's pairs of values lie, smoothed (METHOD 4.2)."""
    centre = [-1 + (2 * i + 1) / bins for i in range(bins)]
    norm = len(values) * (bins / 16) ** 2 / 4

    def near(b: float, c: float) -> float:
        squares = ((v - b) ** 2 + (h - c) ** 2 for v, h in values)
        return sum(math.exp(-square / (2 * sigma**2)) for square in squares)

    return [[near(b, c) / norm for c in centre] for b in centre]


def image_gradient(grey: Table, y: int, x: int) -> tuple[float, float]:
    """Scharr gradient (∇y, ∇x) at a pixel, with asinh contrast (METHOD 4.3)."""

    def at(dy: int, dx: int) -> float:  # borders are replicated
        row = grey[min(max(y + dy, 0), len(grey) - 1)]
        return row[min(max(x + dx, 0), len(row) - 1)]

    weights = {-1: 3, 0: 10, 1: 3}
    down = sum(w * (at(1, d) - at(-1, d)) for d, w in weights.items()) / 16
    right = sum(w * (at(d, 1) - at(d, -1)) for d, w in weights.items()) / 16
    return asinh_contrast(down), asinh_contrast(right)


def asinh_contrast(x: float) -> float:
    """Stretches small gradients (METHOD 4.3)."""
    return math.asinh(GRADIENT_CONTRAST * x) / math.asinh(GRADIENT_CONTRAST)
