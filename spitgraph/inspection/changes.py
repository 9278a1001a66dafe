"""Small changes of an image, under which one would like its tokens to stay what they are."""

import io
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float32, Int64
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from spitgraph.images import load_image
from spitgraph.inspection.overlay import to_pil

EVERYTHING = (slice(None), slice(None))


def as_it_is(labels: Int64[Tensor, "h w"], _: tuple[int, int]) -> Int64[Tensor, "h w"]:
    """Labels of a changed image whose pixels are where they were."""
    return labels


class Change(NamedTuple):
    """A change of an image, and the way back.

    Attributes:
        apply: Changes an image [3, H, W]; chance, if any, comes from the generator.
        restore: Brings labels of the changed image back to the pixels [H, W] of the image itself.
        kept: Rows and columns of the image that its changed version still has.
    """

    apply: Callable[[Float32[Tensor, "3 H W"], torch.Generator], Float32[Tensor, "3 _h _w"]]
    restore: Callable[[Int64[Tensor, "_h _w"], tuple[int, int]], Int64[Tensor, "H W"]] = as_it_is
    kept: tuple[slice, slice] = EVERYTHING


def without_chance(
    change: Callable[[Float32[Tensor, "3 H W"]], Float32[Tensor, "3 _h _w"]],
) -> Callable[[Float32[Tensor, "3 H W"], torch.Generator], Float32[Tensor, "3 _h _w"]]:
    """A change that needs no generator, as one that is given one."""
    return lambda image, _: change(image)


def shifted(image: Float32[Tensor, "3 H W"], dim: int) -> Float32[Tensor, "3 H W"]:
    """Everything one pixel down (dim 1) or to the right (dim 2); the first line stays there too."""
    source = torch.arange(-1, image.shape[dim] - 1, device=image.device)
    return image.index_select(dim, source.clamp(min=0))


def shifted_back(
    labels: Int64[Tensor, "H W"], size: tuple[int, int], dim: int
) -> Int64[Tensor, "H W"]:
    """Labels after `shifted`, one pixel up or to the left; what comes last is not of the image."""
    return labels.roll(-1, dims=dim)


def compressed(image: Float32[Tensor, "3 H W"], quality: int) -> Float32[Tensor, "3 H W"]:
    """Through a JPEG file and back, colour at half the resolution as usual."""
    file = io.BytesIO()
    to_pil(image).save(file, format="JPEG", quality=quality)
    file.seek(0)
    return load_image(Image.open(file)).to(image.device)


def resized(image: Float32[Tensor, "3 H W"], size: tuple[int, int]) -> Float32[Tensor, "3 _h _w"]:
    """At another size, bilinear, smoothed before it is made smaller."""
    return interpolate(image[None], size, mode="bilinear", antialias=True)[0].clamp(0, 1)


def scaled(image: Float32[Tensor, "3 H W"], factor: float) -> Float32[Tensor, "3 _h _w"]:
    """Sides times a factor, rounded, and not below one pixel."""
    height, width = (max(1, round(factor * side)) for side in image.shape[1:])
    return resized(image, (height, width))


def scaled_and_back(image: Float32[Tensor, "3 H W"], factor: float) -> Float32[Tensor, "3 H W"]:
    """Smaller, and as large as before: fine detail is lost."""
    return resized(scaled(image, factor), (image.shape[1], image.shape[2]))


def at_size(labels: Int64[Tensor, "h w"], size: tuple[int, int]) -> Int64[Tensor, "H W"]:
    """Labels at another size: those of the pixel in which the middle of each pixel comes to lie."""
    rows, columns = (
        (2 * torch.arange(new, device=labels.device) + 1) * old // (2 * new)
        for new, old in zip(size, labels.shape, strict=True)
    )
    return labels[rows[:, None], columns]


def noisy(
    image: Float32[Tensor, "3 H W"], generator: torch.Generator, sigma: float
) -> Float32[Tensor, "3 H W"]:
    """Gaussian noise added, of a deviation in 255ths, each channel for itself."""
    noise = torch.randn(image.shape, generator=generator, device=generator.device)
    return (image + sigma / 255 * noise.to(image.device)).clamp(0, 1)


def brighter(image: Float32[Tensor, "3 H W"], offset: float) -> Float32[Tensor, "3 H W"]:
    """Lighter by an offset, as far as there is white."""
    return (image + offset).clamp(0, 1)


def flatter(image: Float32[Tensor, "3 H W"], factor: float) -> Float32[Tensor, "3 H W"]:
    """Of less contrast: ½ + factor · (x − ½)."""
    return (0.5 + factor * (image - 0.5)).clamp(0, 1)


def mirrored(values: Tensor, *_: object) -> Tensor:
    """Left and right exchanged, of images and of labels."""
    return values.flip(-1)


#: By name, in the order in which they are shown.
CHANGES: dict[str, Change] = {
    "the same again": Change(without_chance(torch.clone)),
    "1 px right": Change(
        without_chance(partial(shifted, dim=2)),
        partial(shifted_back, dim=1),
        (slice(None), slice(None, -1)),
    ),
    "1 px down": Change(
        without_chance(partial(shifted, dim=1)),
        partial(shifted_back, dim=0),
        (slice(None, -1), slice(None)),
    ),
    "mirrored": Change(mirrored, mirrored),
    "JPEG 90": Change(without_chance(partial(compressed, quality=90))),
    "JPEG 50": Change(without_chance(partial(compressed, quality=50))),
    "noise 2/255": Change(partial(noisy, sigma=2.0)),
    "noise 8/255": Change(partial(noisy, sigma=8.0)),
    "size × ½ × 2": Change(without_chance(partial(scaled_and_back, factor=0.5))),
    "size × 0.9": Change(without_chance(partial(scaled, factor=0.9)), at_size),
    "brightness + 0.1": Change(without_chance(partial(brighter, offset=0.1))),
    "contrast × 0.8": Change(without_chance(partial(flatter, factor=0.8))),
    "gamma 0.8": Change(without_chance(lambda image: image**0.8)),
}
