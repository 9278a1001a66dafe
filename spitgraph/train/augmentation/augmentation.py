"""How training pictures are changed before they become tokens: one frozen set of numbers."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from spitgraph.checks import integer, number, one_of, positive, unit_interval
from spitgraph.train.augmentation.policy import jittered, rand_augmented
from spitgraph.train.augmentation.views import centre_view, flipped, random_view, shifted

#: Ways to cut a picture out.
CROPS = {"none": "as it is", "pad": "shifted", "resized": "a part of it, resized"}
#: Most of RandAugment's strength.
STRONGEST = 10


@dataclass(frozen=True)
class Augmentation:
    """What is done to a training picture; whatever of it is drawn, the example's generator draws.

    In this order: crop, flip, RandAugment, colour jitter, and then CutMix or MixUp with another
    picture of the whole data set, which has gone through the same. MixUp is off by default: it
    lays two pictures over each other, and where borders of both show, regions follow neither.
    RandAugment's rotations and shears leave grey corners, which become regions too.

    Args:
        image_size: Side of the square that pictures are brought to; None leaves them as they are.
        crop: `"none"`; `"pad"`, which shifts a picture by up to `padding` pixels and mirrors what
            is missing; or `"resized"`, a random part of it (Szegedy et al. 2015).
        padding: See `crop`.
        scale: Least and greatest share of a picture's area that a part has.
        ratio: Least and greatest ratio of a part's width to its height.
        flip: Probability of mirroring left and right.
        rand_augment: Operations of RandAugment (Cubuk et al. 2020) a picture; 0 switches it off.
        magnitude: Their strength, 0 … 10.
        colour_jitter: j; brightness, contrast and saturation are scaled by factors in 1 ± j.
        cutmix: Probability of CutMix (Yun et al. 2019): a box of another picture, and of its
            target as much as the box has of the area.
        cutmix_alpha: α of Beta(α, α), from which the area outside of the box is drawn.
        mixup: Probability of MixUp (Zhang et al. 2018).
        mixup_alpha: α of Beta(α, α), from which the picture's own share is drawn.

    Raises:
        ValueError, TypeError: A number is outside its range, or of another type.
    """

    image_size: int | None = None
    crop: str = "pad"
    padding: int = 4
    scale: tuple[int | float, int | float] = (0.08, 1.0)
    ratio: tuple[int | float, int | float] = (3 / 4, 4 / 3)
    flip: int | float = 0.5
    rand_augment: int = 0
    magnitude: int | float = 9.0
    colour_jitter: int | float = 0.0
    cutmix: int | float = 0.5
    cutmix_alpha: int | float = 1.0
    mixup: int | float = 0.0
    mixup_alpha: int | float = 0.8

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {
            name: unit_interval(getattr(self, name), name)
            for name in ("flip", "colour_jitter", "cutmix", "mixup")
        }
        checked |= {
            name: positive(getattr(self, name), name) for name in ("cutmix_alpha", "mixup_alpha")
        }
        if self.image_size is not None:
            checked["image_size"] = integer(self.image_size, "image_size")
        checked["crop"] = one_of(self.crop, CROPS, "crop")
        checked["padding"] = integer(self.padding, "padding", minimum=0)
        checked["rand_augment"] = integer(self.rand_augment, "rand_augment", minimum=0)
        checked["scale"] = interval(self.scale, "scale")
        checked["ratio"] = interval(self.ratio, "ratio")
        checked["magnitude"] = number(self.magnitude, "magnitude")
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.scale[1] > 1:
            raise ValueError(f"scale must be at most 1, got {self.scale}")
        if not 0 <= self.magnitude <= STRONGEST:
            raise ValueError(f"magnitude must be in [0, {STRONGEST}], got {self.magnitude}")
        if self.cutmix + self.mixup > 1:
            raise ValueError(f"cutmix and mixup must be 1 or less together, got {self}")

    def view(
        self, image: UInt8[np.ndarray, "3 H W"], generator: np.random.Generator
    ) -> UInt8[np.ndarray, "3 h w"]:
        """One picture, changed: all but what mixes it with another."""
        if self.crop == "resized":
            image = random_view(image, self.image_size, self.scale, self.ratio, generator)
        elif self.image_size is not None:
            image = centre_view(image, self.image_size)
        is_flipped = self.flip > 0 and generator.random() < self.flip
        if self.crop == "pad" and self.padding:
            image = shifted(image, self.padding, generator, mirrored=is_flipped)
        elif is_flipped:
            image = flipped(image)
        if self.rand_augment:
            image = rand_augmented(image, self.rand_augment, self.magnitude, generator)
        if self.colour_jitter:
            image = jittered(image, self.colour_jitter, generator)
        return image

    def mixes(self, generator: np.random.Generator) -> str | None:
        """Whether another picture comes in, and how: `"cutmix"`, `"mixup"` or None."""
        if self.cutmix + self.mixup == 0:
            return None
        drawn = generator.random()
        if drawn < self.cutmix:
            return "cutmix"
        return "mixup" if drawn < self.cutmix + self.mixup else None


def evaluation_view(
    image: UInt8[Tensor, "3 H W"], image_size: int | None
) -> UInt8[Tensor, "3 h w"]:
    """A picture as it is evaluated: its shorter side resized, and the square in the middle.

    Pillow resizes, bicubic, with as wide a kernel as keeps fine patterns from turning into coarse
    ones.

    Args:
        image: [3, H, W].
        image_size: Side of the square; None leaves the picture as it is.
    """
    if image_size is None or image.shape[1:] == (image_size, image_size):
        return image
    return torch.from_numpy(centre_view(image.numpy(), image_size))


def interval(value: Any, name: str) -> tuple[float, float]:
    """Two positive finite numbers, the smaller one first."""
    if isinstance(value, str) or not hasattr(value, "__len__") or len(value) != 2:
        raise ValueError(f"{name} must be two numbers, got {value!r}")
    low, high = (positive(one, name) for one in value)
    if low > high or not math.isfinite(high):
        raise ValueError(f"{name} must be the smaller number first, got {value!r}")
    return low, high
