"""Two pictures in one: CutMix and MixUp, and how much of each there is."""

import math

import numpy as np
from jaxtyping import UInt8

from spitgraph.train.augmentation.views import resized


def cut_in(
    image: UInt8[np.ndarray, "3 H W"],
    other: UInt8[np.ndarray, "3 h w"],
    alpha: float,
    generator: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "3 H W"], float]:
    """CutMix (Yun et al. 2019): a box of another picture, where it lies there.

    λ ~ Beta(α, α); the box has sides √(1 − λ)·(H, W), whole pixels, and a centre anywhere; what of
    it lies outside of the picture is cut off.

    Returns:
        The picture, and the share of its pixels that are its own.
    """
    _, height, width = image.shape
    side = math.sqrt(1 - generator.beta(alpha, alpha))
    y, x = generator.random(2).tolist()
    top, bottom = clipped(int(y * height), round(side * height), height)
    left, right = clipped(int(x * width), round(side * width), width)
    other = resized(other, height, width)
    mixed = image.copy()
    mixed[:, top:bottom, left:right] = other[:, top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (height * width)


def clipped(centre: int, length: int, side: int) -> tuple[int, int]:
    """Begin and end of a stretch about a pixel, within a side."""
    begin = centre - length // 2
    return max(0, begin), max(0, min(side, begin + length))


def laid_over(
    image: UInt8[np.ndarray, "3 H W"],
    other: UInt8[np.ndarray, "3 h w"],
    alpha: float,
    generator: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "3 H W"], float]:
    """MixUp (Zhang et al. 2018): λ of a picture and 1 − λ of another, λ ~ Beta(α, α)."""
    share = generator.beta(alpha, alpha)
    other = resized(other, *image.shape[1:])
    mixed = np.rint(image * np.float32(share) + other * np.float32(1 - share))
    return mixed.astype(np.uint8), share
