"""Parts of a picture: its middle, a random part, shifted, mirrored. Arrays [3, H, W] uint8."""

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image

#: Draws of a part's shape before the middle of the picture is taken.
TRIES = 10


def as_picture(image: UInt8[np.ndarray, "3 H W"]) -> Image.Image:
    """The same for Pillow."""
    return Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))


def as_array(picture: Image.Image) -> UInt8[np.ndarray, "3 H W"]:
    """The same from Pillow."""
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))


def resized(
    image: UInt8[np.ndarray, "3 H W"],
    height: int,
    width: int,
    box: tuple[int, int, int, int] | None = None,
) -> UInt8[np.ndarray, "3 h w"]:
    """A picture, or the box (x_min, y_min, x_max, y_max) of it, in another size, bicubic."""
    if box is None and image.shape[1:] == (height, width):
        return image
    picture = as_picture(image).resize((width, height), Image.Resampling.BICUBIC, box=box)
    return as_array(picture)


def centre_view(image: UInt8[np.ndarray, "3 H W"], side: int) -> UInt8[np.ndarray, "3 h w"]:
    """The square in the middle, once the shorter side is as long as its sides."""
    height, width = image.shape[1:]
    if (height, width) == (side, side):
        return image
    scale = side / min(height, width)
    high, wide = max(side, round(height * scale)), max(side, round(width * scale))
    image = resized(image, high, wide)
    top, left = (high - side) // 2, (wide - side) // 2
    return np.ascontiguousarray(image[:, top : top + side, left : left + side])


def random_view(
    image: UInt8[np.ndarray, "3 H W"],
    side: int | None,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    generator: np.random.Generator,
) -> UInt8[np.ndarray, "3 h w"]:
    """A random part, resized (Szegedy et al. 2015).

    The share s of the area is uniform over `scale`, the ratio's logarithm uniform over that of
    `ratio`. A part that does not fit is drawn again, ten times; then it is the largest in the
    middle whose ratio is allowed.
    """
    height, width = image.shape[1:]
    h, w = part_size(height, width, scale, ratio, generator)
    top, left = (height - h) * generator.random(), (width - w) * generator.random()
    y, x = round(top), round(left)
    high, wide = (height, width) if side is None else (side, side)
    return resized(image, high, wide, (x, y, x + w, y + h))


def part_size(
    height: int,
    width: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    generator: np.random.Generator,
) -> tuple[int, int]:
    """Height and width of a random part, whole pixels within the picture."""
    for share, log_ratio in generator.random((TRIES, 2)).tolist():
        area = (scale[0] + (scale[1] - scale[0]) * share) * height * width
        low, high = math.log(ratio[0]), math.log(ratio[1])
        form = math.exp(low + (high - low) * log_ratio)
        h, w = round(math.sqrt(area / form)), round(math.sqrt(area * form))
        if 0 < h <= height and 0 < w <= width:
            return h, w
    form = min(max(width / height, ratio[0]), ratio[1])
    return min(height, max(1, round(width / form))), min(width, max(1, round(height * form)))


def flipped(image: UInt8[np.ndarray, "3 H W"]) -> UInt8[np.ndarray, "3 H W"]:
    """Left and right exchanged."""
    return np.ascontiguousarray(image[:, :, ::-1])


def shifted(
    image: UInt8[np.ndarray, "3 H W"],
    padding: int,
    generator: np.random.Generator,
    *,
    mirrored: bool = False,
) -> UInt8[np.ndarray, "3 H W"]:
    """A picture moved by up to `padding` pixels each way, what is missing mirrored at the border.

    Args:
        image: [3, H, W].
        padding: Pixels.
        generator: What draws.
        mirrored: Whether left and right are exchanged too, which costs nothing here.
    """
    height, width = image.shape[1:]
    down, right = generator.integers(0, 2 * padding + 1, 2).tolist()
    rows = mirror(height, padding)[down : down + height]
    columns = mirror(width, padding)[right : right + width]
    return image.take(rows, 1).take(columns[::-1] if mirrored else columns, 2)


@lru_cache(maxsize=1024)
def mirror(side: int, padding: int) -> Int64[np.ndarray, " n"]:
    """Pixel that shows at each of −padding … side + padding − 1 beside two mirrors."""
    period = max(1, 2 * (side - 1))
    place = np.arange(-padding, side + padding) % period
    return np.minimum(place, period - place)
