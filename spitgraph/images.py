"""Pictures in: whatever holds an image becomes a checked float32 RGB tensor [3, H, W] in [0, 1].

This is the library's door: what is checked here is not checked again inside.
"""

import math
import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Shaped
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from spitgraph.modes import is_transformed

__all__ = [
    "ImageLike",
    "ImagesLike",
    "UnreadableImageError",
    "checked_images",
    "load_image",
    "load_images",
    "unit_rgb",
]

# `Any` at run time, so that wrong input meets this module's errors before a run-time type checker.
if TYPE_CHECKING:
    ImageLike: TypeAlias = Tensor | np.ndarray | Image.Image | str | os.PathLike[str]
    ImagesLike: TypeAlias = ImageLike | Sequence[ImageLike]
else:
    ImageLike = ImagesLike = Any

_LAYOUTS = "tensors are [3, H, W] or grey [1, H, W], arrays [H, W, 3] or grey [H, W]"


class UnreadableImageError(OSError, ValueError):
    """A picture that cannot be decoded; the message names its path and the cause."""


def load_images(images: ImagesLike) -> tuple[list[Float[Tensor, "3 _H _W"]], bool]:
    """Returns images as checked RGB tensors, and whether a batch or list came in.

    Args:
        images: a batch [B, 3, H, W] or [B, 1, H, W], or one of these, or a list or tuple of them
            of any sizes:

            - a tensor [3, H, W] or grey [1, H, W], float in [0, 1] or uint8. Gradients flow.
            - an array [H, W, 3] or grey [H, W], float in [0, 1] or uint8, of any strides.
            - a `PIL.Image` of any mode but `"I"`, or the path of a file. EXIF orientation is
              applied; 16-bit grey keeps its 16 bits; float grey (`"F"`) must lie in [0, 1]. Alpha
              is dropped, not blended: transparent pixels show the colour stored beneath.

    Returns:
        One float32 tensor [3, H, W] in [0, 1] per image, on the device of its tensor or the CPU,
        and True for a batch or list. Results may be views of the input, or of one grey channel.

    Raises:
        TypeError: for another type or dtype.
        ValueError: for another layout or channel count, an empty batch, list or image, tensors on
            different devices, NaN, Inf, or floats outside [0, 1]. What concerns one image of a
            list or batch starts with "image <index>: ".
        UnreadableImageError: for a missing or truncated file, one that is no image, or one of more
            pixels than `PIL.Image.MAX_IMAGE_PIXELS`.
    """
    checked, is_batch = checked_images(images)
    return [unit_rgb(image) for image in checked], is_batch


def checked_images(images: ImagesLike) -> tuple[list[Shaped[Tensor, "3 _H _W"]], bool]:
    """As `load_images`, but 8-bit pictures are left as they are: uint8, 255 is white."""
    if isinstance(images, list | tuple):
        raw = [_raw_at(index, image) for index, image in enumerate(images)]
    elif isinstance(images, Tensor) and images.ndim == 4:
        _check_tensor(images)
        # unbind, not indexing: its backward builds the batch's gradient once, not once an image.
        raw = list(images.unbind(0))
    else:
        return _checked_rgb([_raw(images)], [""]), False
    if not raw:
        raise ValueError("expected at least one image, got an empty list or batch")
    for index, image in enumerate(raw):
        if image.device != raw[0].device:
            raise ValueError(
                f"image {index}: expected all images on one device, got it on {image.device} and "
                f"image 0 on {raw[0].device} (arrays, PIL images and files are on the CPU)"
            )
    return _checked_rgb(raw, [f"image {index}: " for index in range(len(raw))]), True


def load_image(image: ImageLike) -> Float[Tensor, "3 H W"]:
    """Returns exactly one image as a checked float32 RGB tensor in [0, 1].

    Takes and refuses what `load_images` does, and raises ValueError for a batch or list.
    """
    return unit_rgb(_checked_rgb([_raw(image)], [""])[0])


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
        _check_tensor(image)
        return image
    if isinstance(image, np.ndarray):
        return _tensor_from_array(image)
    if isinstance(image, Image.Image | str | os.PathLike):
        return _tensor_from_array(_decoded(image))
    kind = f"{type(image).__module__}.{type(image).__qualname__}"
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
    dtype = np.uint8 if array.dtype == np.uint8 else np.float32
    # Torch takes neither negative strides, foreign byte orders nor read-only memory: these are
    # copied. What overflows float32 becomes Inf, which is refused later.
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.require(array, dtype, ["C", "ALIGNED", "WRITEABLE"])
    pixels = torch.from_numpy(array)
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)  # [C, H, W]


def _decoded(source: Any) -> np.ndarray:
    """A PIL image, or the file at a path, as an array [H, W, 3] or [H, W]."""
    try:
        if isinstance(source, Image.Image):
            return _pil_pixels(source)
        with warnings.catch_warnings():
            # Pillow only warns of a decompression bomb up to twice its limit.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source) as image:
                return _pil_pixels(image)
    except Exception as error:  # on broken bytes, decoders raise nearly anything
        path = getattr(source, "filename", "") if isinstance(source, Image.Image) else source
        name = f"'{os.fspath(path)}'" if path else repr(source)
        raise UnreadableImageError(f"cannot read {name}: {_cause(error)}") from error


def _pil_pixels(image: Image.Image) -> np.ndarray:
    container = image.format  # gone from the copy
    image = ImageOps.exif_transpose(image)
    mode = image.mode
    # Some versions of Pillow open 16-bit grey PNG and PGM files as 32-bit integers.
    if mode.startswith("I;16") or (mode == "I" and container in ("PNG", "PPM")):
        return np.asarray(image).astype(np.float32) / np.float32(65535)
    if mode == "I":
        raise ValueError("mode 'I' has no value for white; scale it to a float array in [0, 1]")
    if mode == "F":
        return np.asarray(image)
    if mode == "La":  # premultiplied alpha, which Pillow converts in two steps only
        image = image.convert("LA")
    if mode == "P" and "transparency" in image.info:  # avoids Pillow's warning
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def _cause(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image in a format that Pillow knows"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror  # without the errno and the path, which is named already
    return str(error) or type(error).__name__


def unit_rgb(image: Shaped[Tensor, "3 H W"]) -> Float[Tensor, "3 H W"]:
    """A checked image as float32 in [0, 1]."""
    if image.is_floating_point():
        return image
    if _is_small(image):
        return torch.from_numpy(np.divide(image.numpy(), np.float32(255), dtype=np.float32))
    # A tensor of 255, since CUDA divides by a Python number through its rounded reciprocal, and
    # the same picture would differ in the last bit between devices.
    return image.to(torch.float32).div_(torch.full((), 255.0, device=image.device))


def _checked_rgb(raw: list[Tensor], names: list[str]) -> list[Shaped[Tensor, "3 _H _W"]]:
    """Raw images [C, H, W] as RGB, uint8 or float32, once floats are known to lie in [0, 1]."""
    if is_transformed(raw[0].detach()) or any(map(is_transformed, raw)):
        raise TypeError(
            "expected tensors of numbers, which transforms of torch.func have not: make tokens "
            "outside of them, and transform what reads the tokens or their pixels"
        )
    images = [image.to(torch.float32) if image.is_floating_point() else image for image in raw]
    floats = [i for i, image in enumerate(images) if image.is_floating_point()]
    if floats:
        # one transfer for all images is one wait for a GPU
        bounds = torch.stack([_bounds(images[i].detach()) for i in floats])
        for i, (low, high) in zip(floats, bounds.tolist(), strict=True):
            _check_unit_range(low, high, names[i])
    return [image.expand(3, -1, -1) for image in images]


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


def _check_unit_range(low: float, high: float, name: str) -> None:
    if not (math.isfinite(low) and math.isfinite(high)):
        found = "NaN" if math.isnan(low) else "Inf"
        raise ValueError(f"{name}expected finite values in [0, 1], got {found}")
    if low < 0 or high > 1:
        hint = "normalised images must be un-normalised first (x * std + mean)"
        if low >= 0 and 3 < high <= 255:  # no usual normalisation reaches above 3
            hint = f"divide by 255, or pass uint8, if 255 is white; {hint}"
        raise ValueError(f"{name}expected floats in [0, 1], got {low:.8g} to {high:.8g}; {hint}")
