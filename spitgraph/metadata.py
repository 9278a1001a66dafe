"""What picture files tell beside their pixels: which way is up; and files without all of that.

Cameras and editors leave EXIF, XMP and ICC blocks in every state, and none of it may keep a picture
from being read. So the orientation is looked for here, and found where it can be; and where Pillow
stumbles over the rest, `bare` leaves that out.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from PIL import Image

#: Tag of the orientation, 1 … 8 (TIFF 6.0).
ORIENTATION = 274
#: Formats of the TIFF types that hold whole numbers of 2 and 4 bytes.
WHOLE_NUMBERS = {3: "H", 4: "I", 8: "h", 9: "i"}
#: Keys of Pillow's `info` under which XMP and ImageMagick's EXIF are found.
XMP_KEYS, PROFILE_KEY = ("XML:com.adobe.xmp", "xmp"), "Raw profile type exif"
#: Bytes of text that are unpacked to look for an orientation.
MOST_TEXT = 2**20

#: What makes the pixels of a PNG; other chunks are about them.
PNG_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
#: JPEG segments about the picture: applications' own, and comments. APP0 and APP14 tell the colour
#: space, if they are at least as long.
JPEG_COMMENT, JPEG_SCAN, JPEG_COLOUR = 0xFE, 0xDA, {0xE0: 14, 0xEE: 12}
#: TIFF tags that make the pixels: layout, compression, colour.
TIFF_PIXELS = {
    *range(254, 260), 262, 266, *range(273, 275), *range(277, 280), 284, 292, 293, 317, 320,
    *range(322, 326), 332, 338, 339, 347, *range(512, 522), 529, 530, 532, 50674,
}  # fmt: skip


def orientation(image: Image.Image) -> int:
    """Orientation of the pixels of a picture, which is loaded; 1 where it has none that is known.

    Nothing is parsed but the orientation, and nothing is changed.
    """
    tags = getattr(image, "tag_v2", {})
    stated = ORIENTATION in tags
    image.load()
    if stated:  # newer versions of Pillow turn a TIFF as they load it, and drop the tag
        return tags.get(ORIENTATION, 1)
    return told_orientation(image.info)


def edited_orientation(image: Image.Image) -> int:
    """The same of a caller's image, whose EXIF may have been edited."""
    image.load()
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # on broken metadata, parsers raise nearly anything
        return orientation(image)


def told_orientation(told: Mapping[Any, Any]) -> int:
    """Orientation by what Pillow calls `info`: by EXIF, else by XMP, else 1."""
    exif = told.get("exif")
    if exif is None:
        exif = _unpacked_profile(told.get(PROFILE_KEY))
    found = exif_orientation(_as_bytes(exif))
    for key in XMP_KEYS:
        if found is None:
            match = re.search(rb"tiff:Orientation(?:=[\"']|>)([0-9])", _as_bytes(told.get(key)))
            found = int(match[1]) if match else None
    return 1 if found is None else found


def exif_orientation(exif: bytes) -> int | None:
    """Orientation of an EXIF block, whose other entries may be anything."""
    exif = re.sub(rb"^(Exif\0\0)+", b"", exif)
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, start)
        for place in range(start + 2, start + 2 + 12 * entries, 12):
            tag, kind, _ = struct.unpack_from(f"{order}HHI", exif, place)
            if tag == ORIENTATION and kind in WHOLE_NUMBERS:
                return struct.unpack_from(order + WHOLE_NUMBERS[kind], exif, place + 8)[0]
    except struct.error:  # it ends early
        pass
    return None


def bare(content: bytes) -> tuple[bytes, int] | None:
    """A file with nothing but what makes its pixels, and the orientation that was left out.

    None for a format that is not known here to carry anything else.
    """
    for start, strip in CONTAINERS.items():
        if re.match(start, content, re.DOTALL):
            told: dict[str, Any] = {}
            try:
                return strip(content, told), told_orientation(told)
            except (struct.error, IndexError, ValueError):  # more is broken than metadata
                return None
    return None


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("latin-1", "replace")
    return value if isinstance(value, bytes) else b""


def _unpacked_profile(text: Any) -> bytes:
    """EXIF as ImageMagick writes it into PNG: three lines, then hexadecimal, as far as it is."""
    if not isinstance(text, str):
        return b""
    digits = re.match(r"[0-9A-Fa-f]*", "".join("".join(text.split("\n")[3:]).split()))
    found = digits[0] if digits else ""
    return bytes.fromhex(found[: len(found) // 2 * 2])


# ---- PNG -----------------------------------------------------------------------------------------


def _bare_png(content: bytes, told: dict[str, Any]) -> bytes:
    kept, kinds = [content[:8]], set()
    for kind, chunk in _png_chunks(content):
        kinds.add(kind)
        if kind in PNG_PIXELS:
            kept.append(chunk)
        elif kind == b"eXIf":
            told["exif"] = chunk[8:-4]
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            key, _, rest = chunk[8:-4].partition(b"\0")
            told[key.decode("latin-1")] = _png_text(kind, rest)
    if content[25] == 3 and b"PLTE" not in kinds:  # Pillow would make colours up
        raise ValueError("no palette")
    return b"".join(kept)


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind of each chunk, and the whole of it."""
    place, kind = 8, b""
    while place + 8 <= len(content) and kind != b"IEND":
        (length,) = struct.unpack_from(">I", content, place)
        kind, end = content[place + 4 : place + 8], place + 12 + length
        yield kind, content[place:end]
        place = end


def _png_text(kind: bytes, text: bytes) -> str:
    """Text of a chunk, its key aside."""
    packed = kind == b"zTXt"
    if packed:
        text = text[1:]
    elif kind == b"iTXt":
        packed, (*_, text) = text[:1] == b"\1", text[2:].split(b"\0", 2)
    if packed:
        try:
            text = zlib.decompressobj().decompress(text, MOST_TEXT)
        except zlib.error:
            text = b""
    return text.decode("latin-1")


# ---- JPEG ----------------------------------------------------------------------------------------


def _bare_jpeg(content: bytes, told: dict[str, Any]) -> bytes:
    kept, place = [content[:2]], 2
    while content[place] == 0xFF and content[place + 1] != JPEG_SCAN:
        marker = content[place + 1]
        if marker == 0xFF:  # padding
            place += 1
            continue
        (length,) = struct.unpack_from(">H", content, place + 2)
        segment = content[place : place + 2 + length]
        if length < 2:
            break
        if 0xE0 <= marker <= 0xEF or marker == JPEG_COMMENT:
            if length - 2 >= JPEG_COLOUR.get(marker, 2**16):
                kept.append(segment)
            elif segment[4:10] == b"Exif\0\0":
                told["exif"] = told.get("exif", b"") + segment[10:]
            elif segment[4:].startswith(b"http://ns.adobe.com/xap/1.0/\0"):
                told["xmp"] = segment[4:]
        else:
            kept.append(segment)
        place += 2 + length
    return b"".join([*kept, content[place:]])


# ---- WebP ----------------------------------------------------------------------------------------


def _bare_webp(content: bytes, told: dict[str, Any]) -> bytes:
    kept, place = [], 12
    while place + 8 <= len(content):
        kind, length = struct.unpack_from("<4sI", content, place)
        end = place + 8 + length + length % 2
        chunk = content[place:end]
        if kind in (b"EXIF", b"XMP "):
            told[kind.decode().strip().lower()] = chunk[8:]
        elif kind == b"VP8X":  # its flags say what comes: neither ICC, EXIF nor XMP
            chunk = chunk[:8] + bytes([chunk[8] & ~0x2C]) + chunk[9:]
        if kind not in (b"EXIF", b"XMP ", b"ICCP"):
            kept.append(chunk)
        place = end
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body


# ---- TIFF ----------------------------------------------------------------------------------------


def _bare_tiff(content: bytes, told: dict[str, Any]) -> bytes:
    """The same file with another directory of its first picture, at the end."""
    order = "<" if content[:2] == b"II" else ">"
    big = 43 in content[2:4]
    offset, entries, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    header = 8 if big else 4
    (start,) = struct.unpack_from(order + offset, content, header)
    (number,) = struct.unpack_from(order + entries, content, start)
    start += struct.calcsize(order + entries)
    kept = []
    for place in range(start, start + number * entry, entry):
        (tag,) = struct.unpack_from(f"{order}H", content, place)
        if tag in TIFF_PIXELS:
            kept.append(content[place : place + entry])
    end = len(content) + len(content) % 2
    return b"".join(
        [
            content[:header],
            struct.pack(order + offset, end),
            content[header + struct.calcsize(order + offset) :],
            bytes(end - len(content)),
            struct.pack(order + entries, len(kept)),
            *kept,
            struct.pack(order + offset, 0),
        ]
    )


# ---- AVIF ----------------------------------------------------------------------------------------


def _bare_avif(content: bytes, told: dict[str, Any]) -> bytes:
    """EXIF is an item; by another type it is one that decoders do not know."""
    known = rb"(infe(?:\x02.{3}.{4}|\x03.{3}.{6}))Exif"
    return re.sub(known, rb"\1none", content, flags=re.DOTALL)


#: How the files of a format begin, and what strips them.
CONTAINERS: dict[bytes, Callable[[bytes, dict[str, Any]], bytes]] = {
    rb"\x89PNG\r\n\x1a\n": _bare_png,
    rb"\xff\xd8\xff": _bare_jpeg,
    rb"RIFF.{4}WEBP": _bare_webp,
    rb"II[*+]\0|MM\0[*+]": _bare_tiff,
    rb".{4}ftypavi[fs]": _bare_avif,
}
