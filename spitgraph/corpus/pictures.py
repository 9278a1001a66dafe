"""Pixels as a row keeps them: the picture file's own bytes, or a lossless file in their place."""

from hashlib import blake2b
from io import BytesIO

import numpy as np
import torch
from jaxtyping import Float32, Shaped
from PIL import Image
from torch import Tensor

from spitgraph.decoding import EncodedImage
from spitgraph.grid import rgb_pixels
from spitgraph.images import checked_image

#: How an array that NumPy wrote begins.
NUMPY = b"\x93NUMPY"


def image_of_bytes(content: bytes, name: str) -> Shaped[Tensor, "3 H W"]:
    """The picture in a file's bytes, as it comes from the file: uint8, or float32 in [0, 1].

    Raises:
        UnreadableImageError: It cannot be decoded; the name is named.
    """
    if content.startswith(NUMPY):
        return checked_image(np.load(BytesIO(content), allow_pickle=False))
    return checked_image(EncodedImage(content, name))


def pixels_to_bytes(pixels: Float32[Tensor, "HW 3"], height: int, width: int) -> bytes:
    """A file that holds these pixels exactly: PNG of 8 bits where they are such, else an array."""
    flat = pixels.detach().cpu()
    bytes8 = flat.mul(255).round().to(torch.uint8)
    image = bytes8.view(height, width, 3)
    file = BytesIO()
    if torch.equal(rgb_pixels(image.permute(2, 0, 1)), flat):
        Image.fromarray(image.numpy()).save(file, "PNG")
    else:
        np.save(file, flat.view(height, width, 3).numpy(), allow_pickle=False)
    return file.getvalue()


def holds_pixels(content: bytes, pixels: Float32[Tensor, "HW 3"]) -> bool:
    """Whether that is what the bytes decode to."""
    found = rgb_pixels(image_of_bytes(content, "picture"))
    return found.shape == pixels.shape and torch.equal(found, pixels.cpu())


def key_of(content: bytes) -> str:
    """Name of a picture by what it is: 32 digits, the same wherever the file lies."""
    return blake2b(content, digest_size=16).hexdigest()
