"""Picture files put together byte by byte, as encoders would not: odd metadata, odd depths."""

import io
import struct
import zlib

from PIL import Image

ORIENTATION = 274


def encoded(pixels, container="PNG", **options):
    """Pixels, an array or a PIL image, as the content of a file."""
    file = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(file, container, **options)
    return file.getvalue()


# ---- EXIF and XMP --------------------------------------------------------------------------------


def exif(orientation, *others, order="<", kind=3, count=1):
    """An EXIF block that states an orientation after `others`: (tag, type, count, value) each."""
    number = {1: "B3x", 3: "H2x", 4: "I", 8: "h2x", 9: "i"}[kind]
    entries = [struct.pack(order + "HHII", *entry) for entry in others]
    entries += [struct.pack(order + "HHI" + number, ORIENTATION, kind, count, orientation)]
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return header + struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)


def xmp(orientation, quote='"'):
    return f"<x:xmpmeta><a tiff:Orientation={quote}{orientation}{quote}/></x:xmpmeta>".encode()


def raw_profile(content):
    """EXIF as ImageMagick writes it into PNG texts."""
    return f"\nexif\n{len(content):8}\n".encode() + content.hex().encode() + b"\n"


# ---- PNG -----------------------------------------------------------------------------------------


def chunk(kind, data, crc=None):
    crc = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def png_with(content, *chunks, last=False):
    """A PNG with chunks behind its header, or before its end."""
    place = len(content) - 12 if last else 33
    return content[:place] + b"".join(chunks) + content[place:]


def png(width, height, depth, colour, rows):
    """A PNG of any depth and colour type; rows are packed already."""
    data = b"".join(b"\0" + row for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# ---- JPEG, WebP, AVIF ----------------------------------------------------------------------------


def segment(marker, data, length=None):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2 if length is None else length) + data


def jpeg_with(content, *segments):
    """A JPEG with segments at its beginning."""
    return content[:2] + b"".join(segments) + content[2:]


def webp_with(content, width, height, **chunks):
    """A simple WebP as an extended one that says it has EXIF and XMP, with such chunks."""
    parts = [b"VP8X" + struct.pack("<II", 10, 0x0C)]
    parts += [struct.pack("<I", side - 1)[:3] for side in (width, height)] + [content[12:]]
    for name, data in chunks.items():
        parts += [name.ljust(4).encode() + struct.pack("<I", len(data)) + data]
        parts += [bytes(len(data) % 2)]
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


# ---- TIFF ----------------------------------------------------------------------------------------


def tiff(width, height, strip, *, bits, photometric=1, order="<", big=False, others=()):
    """An uncompressed grey TIFF of one strip; `others` are entries (tag, type, count, value)."""
    start = 16 if big else 8
    entries = [
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, 1)),
        *((273, 4, 1, start), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, len(strip))),
        *others,
    ]
    if photometric is not None:
        entries.append((262, 3, 1, photometric))
    strip += bytes(len(strip) % 2)
    packed = b""
    for tag, kind, count, value in sorted(entries):
        number = {3: "H6x" if big else "H2x"}.get(kind, "Q" if big else "I")
        value = value if isinstance(value, bytes) else struct.pack(order + number, value)
        packed += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, count) + value
    mark = b"II" if order == "<" else b"MM"
    end = start + len(strip)
    if big:
        header = mark + struct.pack(order + "HHHQ", 43, 8, 0, end)
        return header + strip + struct.pack(order + "Q", len(entries)) + packed + bytes(8)
    header = mark + struct.pack(order + "HI", 42, end)
    return header + strip + struct.pack(order + "H", len(entries)) + packed + bytes(4)
