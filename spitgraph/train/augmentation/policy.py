"""RandAugment and colour jitter, by Pillow's operations, which are exact on 8 bits."""

from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageEnhance, ImageOps

from spitgraph.train.augmentation.views import as_array, as_picture

#: What shows where a picture was moved away.
GREY = (128, 128, 128)
#: At the greatest magnitude: degrees, pixels sideways a row, share of the side, and share by which
#: colour, contrast, brightness and sharpness change (Cubuk et al. 2019, table 6).
MOST_DEGREES, MOST_SHEAR, MOST_SHIFT, MOST_CHANGE = 30.0, 0.3, 0.45, 0.9


def rand_augmented(
    image: UInt8[np.ndarray, "3 H W"], count: int, magnitude: float, generator: np.random.Generator
) -> UInt8[np.ndarray, "3 H W"]:
    """So many operations in turn, each drawn from all, of one strength (Cubuk et al. 2020).

    Args:
        image: [3, H, W].
        count: Operations.
        magnitude: 0 … 10; signs are drawn.
        generator: What draws.
    """
    picture, names = as_picture(image), list(OPERATIONS)
    for choice, sign in generator.random((count, 2)).tolist():
        strength = magnitude / 10 * (1 if sign < 0.5 else -1)
        picture = OPERATIONS[names[int(choice * len(names))]](picture, strength)
    return as_array(picture)


def jittered(
    image: UInt8[np.ndarray, "3 H W"], strength: float, generator: np.random.Generator
) -> UInt8[np.ndarray, "3 H W"]:
    """Brightness, contrast and saturation, scaled by factors uniform in 1 ± strength."""
    picture = as_picture(image)
    factors = (1 + strength * (2 * generator.random(3) - 1)).tolist()
    kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for kind, factor in zip(kinds, factors, strict=True):
        picture = kind(picture).enhance(factor)
    return as_array(picture)


def moved(picture: Image.Image, matrix: tuple[float, ...]) -> Image.Image:
    """The pixel at (x, y) is the one that was at (ax + by + c, dx + ey + f)."""
    return picture.transform(
        picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=GREY
    )


def enhanced(kind: type) -> Callable[[Image.Image, float], Image.Image]:
    """More or less of something, by up to `MOST_CHANGE`."""
    return lambda picture, strength: kind(picture).enhance(1 + MOST_CHANGE * strength)


#: RandAugment's fourteen operations: (picture, strength in [−1, 1]) → picture.
OPERATIONS: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "identity": lambda picture, _: picture,
    "autocontrast": lambda picture, _: ImageOps.autocontrast(picture),
    "equalize": lambda picture, _: ImageOps.equalize(picture),
    "rotate": lambda picture, strength: picture.rotate(
        MOST_DEGREES * strength, Image.Resampling.BILINEAR, fillcolor=GREY
    ),
    "solarize": lambda picture, strength: ImageOps.solarize(
        picture, round(256 * (1 - abs(strength)))
    ),
    "posterize": lambda picture, strength: ImageOps.posterize(
        picture, 8 - round(4 * abs(strength))
    ),
    "color": enhanced(ImageEnhance.Color),
    "contrast": enhanced(ImageEnhance.Contrast),
    "brightness": enhanced(ImageEnhance.Brightness),
    "sharpness": enhanced(ImageEnhance.Sharpness),
    "shear x": lambda picture, strength: moved(
        picture, (1.0, MOST_SHEAR * strength, 0.0, 0.0, 1.0, 0.0)
    ),
    "shear y": lambda picture, strength: moved(
        picture, (1.0, 0.0, 0.0, MOST_SHEAR * strength, 1.0, 0.0)
    ),
    "translate x": lambda picture, strength: moved(
        picture, (1.0, 0.0, MOST_SHIFT * strength * picture.width, 0.0, 1.0, 0.0)
    ),
    "translate y": lambda picture, strength: moved(
        picture, (1.0, 0.0, 0.0, 0.0, 1.0, MOST_SHIFT * strength * picture.height)
    ),
}
