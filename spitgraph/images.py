"""Pictures in: whatever holds an image becomes a checked float32 RGB tensor [3, H, W] in [0, 1].

This is the library's door: what is checked here is not checked again inside.
"""

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Shaped
from PIL import Image
from torch import Tensor

from spitgraph.decoding import EncodedImage, UnreadableImageError, decoded, name_of
from spitgraph.modes import is_transformed
from spitgraph.tensors import plain

__all__ = [
    "ImageLike",
    "ImagesLike",
    "UnreadableImageError",
    "checked_image",
    "checked_images",
    "load_image",
    "load_images",
    "unit_rgb",
]

# `Any` at run time, so that wrong input meets this module's errors before a run-time type checker.
if TYPE_CHECKING:
    ImageLike: TypeAlias = Tensor | np.ndarray | Image.Image | str | os.PathLike[str] | EncodedImage
    ImagesLike: TypeAlias = ImageLike | Sequence[ImageLike]
else:
    ImageLike = ImagesLike = Any

#: What a decoder makes an array of.
_PICTURES = (Image.Image, str, os.PathLike, EncodedImage)
#: What rounding to float32 may leave of a 0 or a 1 in more digits.
_ROUNDING = 2**-24
#: How far the resizing of an image overshoots, about.
_OVERSHOOT = 0.2
_LAYOUTS = "tensors are [3, H, W] or grey [1, H, W], arrays [H, W, 3] or grey [H, W]"


def load_images(images: ImagesLike) -> tuple[list[Float[Tensor, "3 _H _W"]], bool]:
    """Returns images as checked RGB tensors, and whether a batch or list came in.

    Args:
        images: a batch [B, 3, H, W] or [B, 1, H, W], or one of these, or a list or tuple of them
            of any sizes:

            - a tensor [3, H, W] or grey [1, H, W], float in [0, 1] or uint8. Gradients flow.
            - an array [H, W, 3] or grey [H, W], float in [0, 1] or uint8, of any strides.
            - a `PIL.Image` of any mode but `"I"`, or the path of a file, of which the first frame
              is read. EXIF orientation is applied where it can be known; what else metadata say,
              and whether they are whole, does not matter. Grey of more than 8 bits keeps them, and
              its white is that of its format; colour, and grey with alpha, come in at 8 bits, which
              is all that Pillow decodes. Float grey (`"F"`) must lie in [0, 1]. Alpha is dropped,
              not blended: transparent pixels show the colour stored beneath.

            Floats that round to 0 or 1 in float32 are these.

    Returns:
        One float32 tensor [3, H, W] in [0, 1] per image, on the device of its tensor or the CPU,
        and True for a batch or list. Results may be views of the input, or of one grey channel;
        tokens never are.

    Raises:
        TypeError: for another type or dtype.
        ValueError: for another layout or channel count, an empty batch, list or image, tensors on
            different devices, masked values, NaN, Inf, or floats outside [0, 1]. What concerns one
            image of a list or batch starts with "image <index>: ".
        UnreadableImageError: for a missing or truncated file, one that is no image, one whose
            numbers have no value for white, or one of more pixels than
            `PIL.Image.MAX_IMAGE_PIXELS`.
    """
    checked, is_batch = checked_images(images)
    return [unit_rgb(image) for image in checked], is_batch


def checked_images(images: ImagesLike) -> tuple[list[Shaped[Tensor, "3 _H _W"]], bool]:
    """As `load_images`, but 8-bit pictures are left as they are: uint8, 255 is white."""
    images = plain(images) if isinstance(images, Tensor) else images
    if isinstance(images, list | tuple):
        raw = [_raw_at(index, image) for index, image in enumerate(images)]
    elif isinstance(images, Tensor) and images.ndim == 4:
        _check_tensor(images)
        # unbind, not indexing: its backward builds the batch's gradient once, not once an image.
        raw = list(images.unbind(0))
    else:
        return _checked_rgb([_raw(images)], [images], is_batch=False), False
    if not raw:
        raise ValueError("expected at least one image, got an empty list or batch")
    for index, image in enumerate(raw):
        if image.device != raw[0].device:
            raise ValueError(
                f"image {index}: expected all images on one device, got it on {image.device} and "
                f"image 0 on {raw[0].device} (arrays, PIL images and files are on the CPU)"
            )
    return _checked_rgb(raw, images, is_batch=True), True


def load_image(image: ImageLike) -> Float[Tensor, "3 H W"]:
    """Returns exactly one image as a checked float32 RGB tensor in [0, 1].

    Takes and refuses what `load_images` does, and raises ValueError for a batch or list.
    """
    return unit_rgb(checked_image(image))


def checked_image(image: ImageLike) -> Shaped[Tensor, "3 H W"]:
    """As `load_image`, but an 8-bit picture is left as it is: uint8, 255 is white."""
    return _checked_rgb([_raw(image)], [image], is_batch=False)[0]


def _raw_at(index: int, image: Any) -> Shaped[Tensor, "C H W"]:
    try:
        return _raw(image)
    except (TypeError, ValueError) as error:
        raise type(error)(f"image {index}: {error}") from error.__cause__


def _raw(image: Any) -> Shaped[Tensor, "C H W"]:
    """One image as a tensor of 1 or 3 channels, uint8 or float, its values not yet checked."""
    if isinstance(image, list | tuple) or (isinstance(image, Tensor) and image.ndim == 4):
        raise ValueError(f"expected one image, got a batch or list of {len(image)}")
    if isinstance(image, Tensor):
        image = plain(image)
        _check_tensor(image)
        return image
    if isinstance(image, np.ndarray):
        return _tensor_from_array(image)
    if isinstance(image, _PICTURES):
        return _tensor_from_array(decoded(image))
    kind = f"{type(image).__module__}.{type(image).__qualname__}"
    if isinstance(image, bytes):
        kind += ": os.fsdecode a path, and open what a file holds as PIL.Image.open(BytesIO(…))"
    raise TypeError(f"expected a tensor, array, PIL image, path, or a list of these, got {kind}")


def _check_tensor(images: Tensor) -> None:
    shape = list(images.shape)
    if images.layout != torch.strided:
        raise TypeError(f"expected a dense tensor, got {images.layout} of shape {shape}")
    if not (images.dtype == torch.uint8 or images.is_floating_point()):
        raise TypeError(f"expected a float or uint8 tensor, got {images.dtype} of shape {shape}")
    if images.ndim not in (3, 4) or shape[-3] not in (1, 3):
        raise ValueError(f"expected 3 or 1 channels, got a tensor {shape}; {_LAYOUTS}")
    if 0 in shape[-2:]:
        raise ValueError(f"expected at least one pixel, got an empty tensor {shape}")


def _tensor_from_array(array: np.ndarray) -> Shaped[Tensor, "C H W"]:
    shape = list(array.shape)
    if not (array.dtype == np.uint8 or np.issubdtype(array.dtype, np.floating)):
        raise TypeError(f"expected a float or uint8 array, got {array.dtype} of shape {shape}")
    if array.ndim != 2 and not (array.ndim == 3 and shape[2] == 3):
        raise ValueError(f"expected 3 channels or grey, got an array {shape}; {_LAYOUTS}")
    if 0 in shape[:2]:
        raise ValueError(f"expected at least one pixel, got an empty array {shape}")
    if np.ma.is_masked(array):
        raise ValueError(f"expected a value for every pixel, got a masked array {shape}: fill it")
    dtype = np.uint8 if array.dtype == np.uint8 else np.float32
    # Torch takes neither negative strides, foreign byte orders nor read-only memory: these are
    # copied. What overflows float32 becomes Inf, which is refused later.
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.require(array, dtype, ["C", "ALIGNED", "WRITEABLE"])
    if min(array.strides) < 0:  # of a side of one pixel, which NumPy overlooks
        array = array.copy()
    pixels = torch.from_numpy(array)
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)  # [C, H, W]


def unit_rgb(image: Shaped[Tensor, "3 H W"]) -> Float[Tensor, "3 H W"]:
    """A checked image as float32 in [0, 1]."""
    if image.is_floating_point():
        return image
    if _is_small(image):
        return torch.from_numpy(np.divide(image.numpy(), np.float32(255), dtype=np.float32))
    # A tensor of 255, since CUDA divides by a Python number through its rounded reciprocal, and
    # the same picture would differ in the last bit between devices.
    return image.to(torch.float32).div_(torch.full((), 255.0, device=image.device))


def _checked_rgb(
    raw: list[Tensor], sources: Sequence[Any] | Tensor, *, is_batch: bool
) -> list[Shaped[Tensor, "3 _H _W"]]:
    """Raw images [C, H, W] as RGB, uint8 or float32, once floats are known to lie in [0, 1]."""
    if is_transformed(raw[0].detach()) or any(map(is_transformed, raw)):
        raise TypeError(
            "expected tensors of numbers, which transforms of torch.func have not: make tokens "
            "outside of them, and transform what reads the tokens or their pixels"
        )
    if raw[0].is_meta:  # then all are
        raise ValueError(f"expected an image, got no numbers: {list(raw[0].shape)} on 'meta'")
    images = [image.to(torch.float32) if image.is_floating_point() else image for image in raw]
    floats = [i for i, image in enumerate(images) if image.is_floating_point()]
    if floats:
        # one transfer for all images is one wait for a GPU
        bounds = torch.stack([_bounds(images[i].detach()) for i in floats])
        for i, (low, high) in zip(floats, bounds.tolist(), strict=True):
            problem = _range_problem(low, high)
            if problem:
                raise _refusal(problem, sources[i], f"image {i}: " if is_batch else "")
            if low < 0:  # becomes 0, and lets gradients through
                images[i] = images[i] - images[i].detach().clamp(max=0)
    return [image if image.shape[0] == 3 else image.expand(3, -1, -1) for image in images]


def _bounds(image: Float[Tensor, "C H W"]) -> Float[Tensor, "2"]:
    """Least and greatest value; NaN if there is any."""
    if _is_small(image):
        bounds = [float(image.numpy().min()), float(image.numpy().max())]
        return torch.tensor(bounds, dtype=torch.float32, device="cpu")
    return torch.stack(image.aminmax())


def _is_small(image: Tensor) -> bool:
    """Whether NumPy serves better.

    PyTorch's threads spin for milliseconds after a step, in the way of those that work on the next.
    """
    return image.device.type == "cpu" and image.numel() < 2**22


def _range_problem(low: float, high: float) -> str | None:
    """What is wrong with an image's least and greatest value, if anything is."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"expected finite values in [0, 1], got {'NaN' if math.isnan(low) else 'Inf'}"
    if low >= -_ROUNDING and high <= 1:
        return None
    hint = "normalised images must be un-normalised first (x * std + mean)"
    if low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT:
        hint = f"clamp(0, 1) what resizing has left a little outside; {hint}"
    if low >= 0 and 3 < high <= 255:  # no usual normalisation reaches above 3
        hint = f"divide by 255, or pass uint8, if 255 is white; {hint}"
    return f"expected floats in [0, 1], got {low:.8g} to {high:.8g}; {hint}"


def _refusal(problem: str, source: Any, name: str) -> ValueError:
    """The error that says it, and of which file."""
    if isinstance(source, _PICTURES):
        return UnreadableImageError(f"{name}cannot read {name_of(source)}: {problem}")
    return ValueError(f"{name}{problem}")
