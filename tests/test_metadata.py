"""A picture that decodes is read whatever its metadata are, upright where that can be known."""

import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin, features

from helpers import files
from helpers.effort import examples
from helpers.files import chunk, encoded, exif, jpeg_with, png_with, segment, webp_with, xmp
from helpers.pictures import random_bytes
from spitgraph.images import load_image
from spitgraph.metadata import exif_orientation

H, W = 8, 16
PIXELS = random_bytes(H, W, 3)
#: What a viewer shows of pixels stored by orientation 6: a quarter turn to the right.
QUARTER = 6

PNG, JPEG = encoded(PIXELS), encoded(PIXELS, "JPEG", quality=95)
WEBP = encoded(PIXELS, "WEBP", lossless=True)


def read(tmp_path, content, name="picture"):
    (tmp_path / name).write_bytes(content)
    return load_image(tmp_path / name)


def turned(image):
    return image.rot90(-1, (1, 2))


@pytest.fixture(params=["ignore", "error"])
def filters(request):
    """The caller's warning filters, which decide nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter(request.param)
        yield


# ---- what is broken is passed over ---------------------------------------------------------------

NOT_TIFF = b"\0\x08\0\x02\x01\x12\0\x03"
FAR = exif(1, (0x010E, 2, 99, 10**6))[:8] + b"\xff\xff" + bytes(20)
BLOCKS = {
    "empty": b"",
    "not TIFF": NOT_TIFF,
    "header only": b"II*\0",
    "directory beyond the end": b"II*\0\xff\xff\xff\x7f",
    "more entries than bytes": FAR,
    "zeros": bytes(64),
    "noise": random_bytes(200).tobytes(),
    "text": b"Exif in words",
    "orientation 0": exif(0),
    "orientation 9": exif(9),
    "orientation in bytes": exif(6, kind=1),
    "directories in a ring": exif(1, (0x8769, 4, 1, 8), (0x8825, 4, 1, 8)),
    "directory at the end of memory": exif(1, (0x8769, 4, 1, 2**32 - 1)),
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())
def test_broken_exif_is_passed_over(block, tmp_path, filters):
    profile = b"Raw profile type exif\0"
    for plain, content in {
        PNG: png_with(PNG, chunk(b"eXIf", block)),
        PNG + b" ": png_with(PNG, chunk(b"eXIf", block), last=True),
        PNG + b"  ": png_with(PNG, chunk(b"tEXt", profile + files.raw_profile(block))),
        JPEG: jpeg_with(JPEG, segment(0xE1, b"Exif\0\0" + block)),
        WEBP: webp_with(WEBP, W, H, EXIF=block),
    }.items():
        assert torch.equal(read(tmp_path, content), read(tmp_path, plain.rstrip(b" ")))


def compressed(length):
    return zlib.compress(bytes(length))


PNG_CHUNKS = {
    "profile is not hexadecimal": chunk(b"tEXt", b"Raw profile type exif\0\nexif\n   4\n45zz\n"),
    "profile without lines": chunk(b"tEXt", b"Raw profile type exif\0"),
    "packed profile": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\n\n\n4")),
    "text under exif": chunk(b"zTXt", b"exif\0\0" + zlib.compress(b"text")),
    "key without text": chunk(b"tEXt", b"Comment"),
    "text that is a bomb": chunk(b"zTXt", b"Comment\0\0" + compressed(2**22)),
    "text packed otherwise": chunk(b"zTXt", b"Comment\0\7abc"),
    "text of noise": chunk(b"zTXt", b"Comment\0\0" + random_bytes(50).tobytes()),
    "international bomb": chunk(b"iTXt", b"A\0\1\0en\0key\0" + compressed(2**22)),
    "international and short": chunk(b"iTXt", b"A\0\1"),
    "profile of noise": chunk(b"iCCP", b"icc\0\0" + random_bytes(50).tobytes()),
    "profile packed otherwise": chunk(b"iCCP", b"icc\0\7abc"),
    "profile that is a bomb": chunk(b"iCCP", b"icc\0\0" + compressed(2**22)),
    "profile without a name": chunk(b"iCCP", b""),
    "short gamma": chunk(b"gAMA", b"\0"),
    "short chromaticities": chunk(b"cHRM", b"\0" * 5),
    "short transparency": chunk(b"tRNS", b"\0"),
    "short density": chunk(b"pHYs", b"\0"),
    "short intent": chunk(b"sRGB", b""),
    "wrong checksum": chunk(b"tEXt", b"Comment\0text", crc=1),
    "animation without frames": chunk(b"acTL", struct.pack(">II", 0, 0)),
    "short animation": chunk(b"acTL", b"\0"),
    "frame beyond the picture": chunk(
        b"fcTL", struct.pack(">IIIIIHHBB", 0, 99, 99, 9, 9, *[0] * 4)
    ),
    "unknown": chunk(b"juNK", b"?" * 99),
    "no name": chunk(b"\0\1\2\3", b"?"),
}


@pytest.mark.parametrize("last", [False, True], ids=["before the pixels", "after them"])
@pytest.mark.parametrize("broken", PNG_CHUNKS.values(), ids=PNG_CHUNKS.keys())
def test_broken_chunks_of_a_png_are_passed_over(broken, last, tmp_path, filters):
    content = png_with(PNG, broken, last=last)
    assert torch.equal(read(tmp_path, content), read(tmp_path, PNG))


@pytest.mark.parametrize("broken", [c for c in PNG_CHUNKS.values() if b"exif\0\0" not in c])
def test_an_orientation_beside_broken_chunks_is_found(broken, tmp_path, filters):
    content = png_with(PNG, chunk(b"eXIf", exif(QUARTER)), broken)
    assert torch.equal(read(tmp_path, content), turned(read(tmp_path, PNG)))


def test_texts_that_are_too_many_are_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_MEMORY", 99)
    content = png_with(PNG, *[chunk(b"tEXt", b"Comment\0" + b"?" * 50)] * 3)
    assert torch.equal(read(tmp_path, content), read(tmp_path, PNG))


ICC = b"ICC_PROFILE\0"
JPEG_SEGMENTS = {
    "short JFIF": segment(0xE0, b"JFIF"),
    "empty APP0": segment(0xE0, b""),
    "short profile": segment(0xE2, ICC),
    "profile of which parts are missing": segment(0xE2, ICC + b"\1\3" + b"?" * 9),
    "profile of part 0 of 0": segment(0xE2, ICC + b"\0\0"),
    "short multi-picture": segment(0xE2, b"MPF\0"),
    "multi-picture of noise": segment(0xE2, b"MPF\0II*\0" + random_bytes(60).tobytes()),
    "short Photoshop": segment(0xED, b"Photoshop 3.0\x008BIM\4"),
    "Photoshop of noise": segment(0xED, b"Photoshop 3.0\x008BIM" + random_bytes(60).tobytes()),
    "short Adobe": segment(0xEE, b"Adobe"),
    "comment": segment(0xFE, b"\xff\xfe\0" * 9),
    "FlashPix": segment(0xE2, b"FPXR\0"),
    "XMP of noise": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + random_bytes(99).tobytes()),
}


@pytest.mark.parametrize("broken", JPEG_SEGMENTS.values(), ids=JPEG_SEGMENTS.keys())
def test_broken_segments_of_a_jpeg_are_passed_over(broken, tmp_path, filters):
    plain = read(tmp_path, JPEG)
    assert torch.equal(read(tmp_path, jpeg_with(JPEG, broken)), plain)
    upright = segment(0xE1, b"Exif\0\0" + exif(QUARTER))
    assert torch.equal(read(tmp_path, jpeg_with(JPEG, upright, broken)), turned(plain))


def grey_tiff(*others, big=False, order="<"):
    return files.tiff(
        W, H, random_bytes(H, W).tobytes(), bits=8, others=others, big=big, order=order
    )


TIFF_TAGS = {
    "text beyond the end": (270, 2, 99, 10**6),
    "more text than memory": (270, 2, 2**32 - 1, 8),
    "EXIF beyond the end": (0x8769, 4, 1, 2**31),
    "EXIF in a ring": (0x8769, 4, 1, 8),
    "EXIF as text": (0x8769, 2, 4, b"text"),
    "EXIF as no number": (0x8769, 11, 1, struct.pack("<f", float("nan"))),
    "position beyond the end": (0x8825, 4, 1, 2**31),
    "profile beyond the end": (34675, 7, 999, 10**6),
    "XMP as number": (700, 4, 1, 6),
    "XMP as numbers": (700, 3, 2, 6),
    "resolution as text": (282, 2, 4, b"abc\0"),
    "resolution over zero": (282, 5, 1, 8),
    "unit of two": (296, 3, 2, 2),
    "orientation as text": (274, 2, 4, b"six\0"),
    "orientation 0": (274, 3, 1, 0),
    "unknown type": (65000, 99, 1, 1),
    "Photoshop": (34377, 1, 4, b"8BIM"),
}


@pytest.mark.parametrize("big", [False, True], ids=["TIFF", "BigTIFF"])
@pytest.mark.parametrize("tag", TIFF_TAGS.values(), ids=TIFF_TAGS.keys())
def test_broken_tags_of_a_tiff_are_passed_over(tag, big, tmp_path, filters):
    *entry, value = tag
    if big and isinstance(value, bytes):
        value = value.ljust(8, b"\0")
    content = grey_tiff((*entry, value), big=big)
    assert torch.equal(read(tmp_path, content), read(tmp_path, grey_tiff(big=big)))


@pytest.mark.parametrize("tag", [tag for tag in TIFF_TAGS.values() if tag[0] != 274])
def test_an_orientation_beside_broken_tags_is_found(tag, tmp_path, filters):
    content = grey_tiff(tag, (274, 3, 1, QUARTER))
    assert torch.equal(read(tmp_path, content), turned(read(tmp_path, grey_tiff())))


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
@pytest.mark.parametrize("stated", [1, QUARTER])
def test_broken_exif_of_an_avif_is_passed_over(stated, tmp_path, filters):
    told = Image.Exif()
    told[270] = "a description"
    told[274] = stated  # which becomes a property of the picture
    whole = encoded(PIXELS, "AVIF", exif=told)
    header = told.tobytes()[6:14]
    assert whole.count(header) == 1
    expected = read(tmp_path, encoded(PIXELS, "AVIF"))
    expected = turned(expected) if stated == QUARTER else expected
    for broken in (header, NOT_TIFF, header[:4] + b"\xff" * 8, bytes(8), header + b"\xff" * 4):
        place = whole.index(header)
        content = whole[:place] + broken + whole[place + len(broken) :]
        assert torch.equal(read(tmp_path, content), expected)


def test_a_broken_gif_comment_is_passed_over(tmp_path):
    plain = encoded(PIXELS, "GIF")
    place = 13 + 3 * 2 ** (1 + (plain[10] & 7))  # behind the colours
    for extension in (
        b"!\xfe\xff" + b"?" * 255 + b"\0",
        b"!\xff\x0bXMP DataXMP\3???\0",
        b"!\xff\1?\0",
    ):
        content = plain[:place] + extension + plain[place:]
        assert torch.equal(read(tmp_path, content), read(tmp_path, plain))


# ---- which way is up -----------------------------------------------------------------------------


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [3, 4, 8, 9])
@pytest.mark.parametrize("value", range(1, 9))
def test_an_orientation_is_any_whole_number(value, kind, order):
    assert exif_orientation(exif(value, order=order, kind=kind)) == value
    assert exif_orientation(b"Exif\0\0" + exif(value, order=order, kind=kind)) == value


@given(block=st.binary(max_size=80), cut=st.integers(0, 80))
@examples(60)
def test_no_block_raises_anything(block, cut):
    for one in (block, b"II*\0" + block, exif(3, (1, 2, 3, 4))[:cut] + block):
        exif_orientation(one)


@pytest.mark.parametrize("broken", [(0x010E, 2, 99, 10**6), (0x010F, 77, 1, 1), (0x8769, 4, 1, 5)])
def test_an_orientation_beside_broken_entries_is_found(broken, tmp_path, filters):
    block = exif(QUARTER, broken)
    for plain, content in {
        PNG: png_with(PNG, chunk(b"eXIf", block)),
        JPEG: jpeg_with(JPEG, segment(0xE1, b"Exif\0\0" + block)),
        WEBP: webp_with(WEBP, W, H, EXIF=block),
    }.items():
        assert torch.equal(read(tmp_path, content), turned(read(tmp_path, plain)))


@pytest.mark.parametrize("quote", "\"'")
@pytest.mark.parametrize("block", [None, NOT_TIFF], ids=["no EXIF", "broken EXIF"])
def test_xmp_tells_where_exif_does_not(block, quote, tmp_path, filters):
    said = xmp(QUARTER, quote)
    png = [chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + said)]
    jpeg = [segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + said)]
    webp = {"XMP": said}
    if block is not None:
        png.append(chunk(b"eXIf", block))
        jpeg.append(segment(0xE1, b"Exif\0\0" + block))
        webp["EXIF"] = block
    for plain, content in {
        PNG: png_with(PNG, *png),
        JPEG: jpeg_with(JPEG, *jpeg),
        WEBP: webp_with(WEBP, W, H, **webp),
    }.items():
        assert torch.equal(read(tmp_path, content), turned(read(tmp_path, plain)))


def test_exif_is_believed_before_xmp(tmp_path):
    said = [chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(3)), chunk(b"eXIf", exif(1))]
    assert torch.equal(read(tmp_path, png_with(PNG, *said)), read(tmp_path, PNG))
    content = encoded(Image.fromarray(PIXELS), "TIFF", tiffinfo={274: 1, 700: xmp(6)})
    assert torch.equal(read(tmp_path, content), read(tmp_path, PNG))


def test_a_profile_counts_as_far_as_it_is_hexadecimal(tmp_path):
    profile = files.raw_profile(exif(QUARTER)).rstrip() + b"zz"
    for kind, text in ((b"tEXt", profile), (b"zTXt", b"\0" + zlib.compress(profile))):
        content = png_with(PNG, chunk(kind, b"Raw profile type exif\0" + text))
        assert torch.equal(read(tmp_path, content), turned(read(tmp_path, PNG)))


# ---- nothing is written --------------------------------------------------------------------------


def opened(tmp_path, content):
    (tmp_path / "opened").write_bytes(content)
    return Image.open(tmp_path / "opened")


@pytest.mark.parametrize("block", [exif(QUARTER), NOT_TIFF], ids=["whole", "broken"])
def test_an_image_that_is_open_keeps_its_metadata(block, tmp_path):
    with opened(tmp_path, png_with(PNG, chunk(b"eXIf", block))) as image:
        image.load()
        before = dict(image.info)
        expected = read(tmp_path, PNG)
        assert torch.equal(load_image(image), turned(expected) if block != NOT_TIFF else expected)
        assert image.info == before
        assert image.size == (W, H)
        assert torch.equal(load_image(image), turned(expected) if block != NOT_TIFF else expected)


def test_the_orientation_of_an_image_in_memory_is_the_callers(tmp_path):
    with opened(tmp_path, png_with(PNG, chunk(b"eXIf", exif(QUARTER)))) as image:
        image.getexif()[274] = 3
        assert torch.equal(load_image(image), read(tmp_path, PNG).flip(1, 2))
        del image.getexif()[274]
        assert torch.equal(load_image(image), read(tmp_path, PNG))


@pytest.mark.parametrize(
    "broken",
    [png_with(PNG, PNG_CHUNKS["text that is a bomb"], last=True), grey_tiff((0x8769, 4, 1, 2**31))],
    ids=["PNG", "TIFF"],
)
def test_an_image_that_opens_but_does_not_load_is_read(broken, tmp_path):
    expected = read(tmp_path, broken)
    with opened(tmp_path, broken) as image:
        assert torch.equal(load_image(image), expected)


def test_a_broken_picture_with_broken_metadata_is_refused_for_the_first(tmp_path):
    for content in (
        png_with(PNG, PNG_CHUNKS["short gamma"])[:-40],
        jpeg_with(JPEG, JPEG_SEGMENTS["short profile"])[:-300],
        grey_tiff(TIFF_TAGS["EXIF beyond the end"])[:60],
    ):
        with pytest.raises(ValueError, match="^cannot read '.*picture': "):
            read(tmp_path, content)


def test_a_palette_under_another_name_is_no_metadata(tmp_path):
    image = Image.fromarray(PIXELS[..., 0])
    image.putpalette(random_bytes(256, 3).tobytes())
    with pytest.raises(ValueError, match="^cannot read"):
        read(tmp_path, encoded(image).replace(b"PLTE", b"pLTE"))


def test_a_big_file_is_not_looked_at_again(tmp_path, monkeypatch):
    monkeypatch.setattr("spitgraph.decoding.MOST_BYTES", 20)
    with pytest.raises(ValueError, match="gAMA"):
        read(tmp_path, png_with(PNG, PNG_CHUNKS["short gamma"]))


def test_arrays_agree_with_pillow(tmp_path):
    assert np.array_equal((read(tmp_path, PNG) * 255).permute(1, 2, 0).round().numpy(), PIXELS)
