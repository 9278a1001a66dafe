"""Files and PIL images → arrays of their pixels, upright, or an error that says why not."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from stat import S_ISREG
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from spitgraph.metadata import ORIENTATION, bare, edited_orientation, orientation

#: What turns stored pixels upright, by EXIF orientation (TIFF 6.0, tag 274).
UPRIGHT = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}
#: TIFF tags, and the value of the one that says that 0 is white.
BITS, PHOTOMETRIC, SAMPLE_FORMAT, ZERO_IS_WHITE, SIGNED = 258, 262, 339, 0, 2
#: Formats of measurements: their integers are no shades.
MEASUREMENTS = ("FITS", "MCIDAS")
#: Files above this size are not looked at again for what may be read of them.
MOST_BYTES = 2**27
#: Where in a JPEG 2000 file its codestream may begin.
MOST_HEADER = 2**16


@dataclass(frozen=True)
class EncodedImage:
    """An image file's own bytes, which are decoded as the file is.

    Attributes:
        content: All of them.
        name: What errors call it.
    """

    content: bytes
    name: str


class UnreadableImageError(OSError, ValueError):
    """A picture that cannot be decoded; the message names its path and the cause."""


def decoded(source: Any) -> np.ndarray:
    """A PIL image, or a file, as an array [H, W, 3] or grey [H, W]: uint8 or float.

    Args:
        source: A PIL image, the path of a file, or an `EncodedImage`.

    Raises:
        UnreadableImageError: It cannot be decoded, or has more pixels than Pillow's limit.
    """
    try:
        if isinstance(source, Image.Image):
            return pixels(source, edited_orientation)
        with Image.open(opened(source)) as image:
            return pixels(image, checked_orientation)
    except Exception as error:  # on broken bytes, decoders raise nearly anything
        found = decoded_bare(source)
        if found is not None:
            return found
        raise UnreadableImageError(f"cannot read {name_of(source)}: {cause(error)}") from error


def opened(source: Any) -> Any:
    """What Pillow opens."""
    return BytesIO(source.content) if isinstance(source, EncodedImage) else source


def decoded_bare(source: Any) -> np.ndarray | None:
    """The same without the picture's metadata; None if these are not what it failed by."""
    try:
        stripped = bare(first_picture(source))
        if stripped is None:
            return None
        content, left_out = stripped
        with Image.open(BytesIO(content)) as image:
            if isinstance(source, Image.Image) and source.size != image.size:
                return None
            return pixels(image, lambda image: max(checked_orientation(image), left_out))
    except Exception:  # the first error says more
        return None


def pixels(image: Image.Image, load: Callable[[Image.Image], int]) -> np.ndarray:
    """Pixels of a picture, upright, once `load` has loaded it and told how they lie."""
    bits = grey_bits(image)
    with read_not_mapped(image):
        turn = load(image)
    return UPRIGHT.get(turn, lambda stored: stored)(shades(image, bits))


@contextmanager
def read_not_mapped(image: Image.Image) -> Iterator[None]:
    """Keeps Pillow from mapping a TIFF into memory that it turns on its side as it loads it.

    It would cut the map into rows of the turned picture's width.
    """
    if getattr(image, "tag_v2", {}).get(ORIENTATION) not in (5, 6, 7, 8):
        yield
        return
    name, image.filename = image.filename, ""  # type: ignore[attr-defined]
    try:
        yield
    finally:
        image.filename = name  # type: ignore[attr-defined]


def checked_orientation(image: Image.Image) -> int:
    """Orientation of a file's picture, which is loaded if it is not too large."""
    check_size(image)
    turn = orientation(image)
    check_size(image)  # an icon may be larger than its directory says
    return turn


def check_size(image: Image.Image) -> None:
    """Refuse what Pillow only warns of, up to twice its limit."""
    width, height = image.size
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and width * height > limit:
        raise ValueError(
            f"{width}×{height} pixels are more than PIL.Image.MAX_IMAGE_PIXELS, {limit}: "
            "it may be a decompression bomb"
        )


def shades(image: Image.Image, bits: int | None) -> np.ndarray:
    """Pixels as they are stored: uint8 RGB, or grey of other depths as floats."""
    mode, tags = image.mode, getattr(image, "tag_v2", {})
    inverted = tags.get(PHOTOMETRIC) == ZERO_IS_WHITE
    if mode == "F":
        values = np.asarray(image)
        return 1 - values if inverted else values
    if mode.startswith("I") or (mode == "L" and bits is not None and bits < 8):
        white = white_value(image, bits)
        levels = np.asarray(image)
        levels = white - levels if inverted else levels
        return levels.astype(np.float32) / np.float32(white)
    if mode == "L" and tags.get(SAMPLE_FORMAT) in (SIGNED, (SIGNED,)):
        raise ValueError("signed integers have no value for white")
    if mode == "La":  # premultiplied alpha, which Pillow converts in two steps only
        image = image.convert("LA")
    if mode == "P" and "transparency" in image.info:  # avoids Pillow's warning
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def white_value(image: Image.Image, bits: int | None) -> int:
    """What stands for white in grey of another depth than 8 bits."""
    container = image.format
    # Some versions of Pillow open 16-bit grey PNG and PGM files as 32-bit integers.
    if image.mode == "I" and container not in ("PNG", "PPM"):
        raise ValueError("mode 'I' has no value for white; scale it to a float array in [0, 1]")
    if container in MEASUREMENTS:
        raise ValueError(f"integers of {container} are measurements, without a value for white")
    depth = 8 if image.mode == "L" else 16
    if bits is None:
        return 2**depth - 1
    white = 2 ** min(bits, depth) - 1
    return white << max(depth - bits, 0) if container == "JPEG2000" else white


def grey_bits(image: Image.Image) -> int | None:
    """Bits of a grey sample where Pillow leaves them as they are; None where they fill its mode."""
    if image.format == "TIFF" and image.mode.startswith("I;16"):
        return image.tag_v2[BITS][0]  # type: ignore[attr-defined]
    if image.format == "JPEG2000" and image.mode in ("L", "I;16"):
        return jpeg2000_bits(image)
    return None


def jpeg2000_bits(image: Image.Image) -> int | None:
    """Depth that the codestream states (ISO 15444-1, A.5.1); Pillow shifts lesser ones up."""
    file = getattr(image, "fp", None)
    if file is None:
        return None
    place = file.tell()
    file.seek(0)
    start = file.read(MOST_HEADER)
    file.seek(place)
    size_marker = start.find(b"\xff\x4f\xff\x51")
    stated = start[size_marker + 42 : size_marker + 43]
    return (stated[0] & 0x7F) + 1 if size_marker >= 0 and stated else None


def first_picture(source: Any) -> bytes:
    """The file at a path, or that which a PIL image shows the first frame of."""
    if isinstance(source, Image.Image):
        if source.tell() != 0:
            raise ValueError("another frame is shown")
        file = source.fp  # type: ignore[attr-defined]
        file.seek(0)
        return file.read(MOST_BYTES)
    if isinstance(source, EncodedImage):
        if len(source.content) > MOST_BYTES:
            raise ValueError("it is too large to be read twice")
        return source.content
    file = os.stat(source)
    if not S_ISREG(file.st_mode) or file.st_size > MOST_BYTES:
        raise ValueError("it cannot be read twice, or not for what may come of it")
    return Path(os.fsdecode(source)).read_bytes()


def name_of(source: Any) -> str:
    """A path between quotes, or what there is of a PIL image."""
    path = getattr(source, "filename", "") if isinstance(source, Image.Image) else source
    path = source.name if isinstance(source, EncodedImage) else path
    if isinstance(source, Image.Image) and not path:
        return repr(source)
    name = os.fsdecode(path)
    return f"'{name}'" if name.isprintable() or not name else repr(name)


def cause(error: Exception) -> str:
    """Why a picture cannot be read, in a few words."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image in a format that Pillow knows"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror  # without the errno and the path, which is named already
    return str(error) or type(error).__name__
