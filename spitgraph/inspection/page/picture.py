"""The photograph of a page: a file's own bytes where a browser shows them as they were read."""

import os
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms

from spitgraph.metadata import ORIENTATION

#: What every browser shows, and under which name.
SHOWN = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
#: Gamma of a PNG file that is shown as it is.
SRGB_GAMMA = 0.45455
#: Pictures of so many pixels are written without loss, larger ones as JPEG of this quality.
SMALL, QUALITY = 2**16, 92


class Picture(NamedTuple):
    """A picture as a browser takes it."""

    kind: str
    content: bytes


def embedded(pixels: np.ndarray, source: Any = None) -> Picture:
    """A picture's file as it is, if a browser shows these pixels then; otherwise a new one.

    Args:
        pixels: [H, W, 3] uint8.
        source: Path of the file that they come from, if they come from one.
    """
    if isinstance(source, str | os.PathLike):
        picture = as_it_is(pixels, source)
        if picture is not None:
            return picture
    return encoded(pixels)


def as_it_is(pixels: np.ndarray, source: "str | os.PathLike[str]") -> Picture | None:
    """The file's bytes, unless a browser would show other pixels."""
    try:
        content = Path(source).read_bytes()
        with Image.open(BytesIO(content)) as image:
            if image.format not in SHOWN or not is_plain(image):
                return None
            if not np.array_equal(np.asarray(image.convert("RGB")), pixels):
                return None
            return Picture(SHOWN[image.format], content)
    except Exception:  # on broken bytes, decoders raise nearly anything
        return None


def is_plain(image: Image.Image) -> bool:
    """Whether nothing beside its numbers says how a picture's file is to be shown."""
    if image.mode not in ("L", "RGB", "P") or "transparency" in image.info:
        return False
    if getattr(image, "is_animated", False) or image.getexif().get(ORIENTATION, 1) != 1:
        return False
    if (
        "chromaticity" in image.info
        or abs(image.info.get("gamma", SRGB_GAMMA) / SRGB_GAMMA - 1) > 0.01
    ):
        return False
    return is_srgb(image.info.get("icc_profile"))


def is_srgb(profile: bytes | None) -> bool:
    """Whether a colour profile is none, or says what none would."""
    if not profile:
        return True
    named = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(profile)))
    return "srgb" in named.lower()


def encoded(pixels: np.ndarray) -> Picture:
    """Pixels as a file: PNG where they are few, JPEG otherwise."""
    image, place = Image.fromarray(pixels), BytesIO()
    if pixels.shape[0] * pixels.shape[1] <= SMALL:
        image.save(place, "PNG", optimize=True)
        return Picture("image/png", place.getvalue())
    image.save(place, "JPEG", quality=QUALITY, subsampling=0)
    return Picture("image/jpeg", place.getvalue())
