"""Unusual but whole files come in pixel by pixel; monstrous ones are refused at once, by name."""

import os
import struct
import subprocess
import sys
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image, features

from helpers import files
from helpers.files import chunk, encoded
from helpers.pictures import random_bytes
from helpers.places import REPOSITORY
from spitgraph import UnreadableImageError
from spitgraph.images import load_image

H, W = 12, 20
COLOUR, GREY = random_bytes(H, W, 3), random_bytes(H, W)
BITS = random_bytes(H, W) > 127
INDICES, PALETTE = random_bytes(H, W) // 32, random_bytes(8, 3, seed=1)


def read(tmp_path, content, name="picture"):
    (tmp_path / name).write_bytes(content)
    return load_image(tmp_path / name)


def unit(pixels):
    """Bytes [H, W, 3] or [H, W] as the tensor that they become."""
    pixels = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=2)
    return torch.from_numpy(pixels.astype(np.float32) / np.float32(255)).permute(2, 0, 1)


def with_palette():
    image = Image.fromarray(INDICES)
    image.putpalette(PALETTE.tobytes())
    return image


def with_alpha(image):
    image = image.copy()
    image.putalpha(Image.fromarray(random_bytes(H, W, seed=2)))
    return image


#: Lossless formats, and the kinds of pictures that they hold.
WHOLE = {
    "PNG": "colour alpha grey grey-alpha bits palette",
    "BMP": "colour alpha grey bits palette",
    "DIB": "colour grey",
    "TIFF": "colour alpha grey grey-alpha bits palette",
    "GIF": "grey bits palette",
    "PPM": "colour grey bits",
    "TGA": "colour alpha grey grey-alpha palette",
    "PCX": "colour grey bits palette",
    "SGI": "colour alpha grey",
    "IM": "colour grey palette",
    "DDS": "colour alpha grey",
    "QOI": "colour alpha",
    "ICO": "alpha",
    "MSP": "bits",
    "XBM": "bits",
}
PICTURES = {
    "colour": (Image.fromarray(COLOUR), COLOUR),
    "alpha": (with_alpha(Image.fromarray(COLOUR)), COLOUR),
    "grey": (Image.fromarray(GREY), GREY),
    "grey-alpha": (with_alpha(Image.fromarray(GREY)), GREY),
    "bits": (Image.fromarray(BITS), 255 * BITS.astype(np.uint8)),
    "palette": (with_palette(), PALETTE[INDICES]),
}


@pytest.mark.parametrize(
    ("container", "kind"),
    [(container, kind) for container, kinds in WHOLE.items() for kind in kinds.split()],
)
def test_every_format_gives_its_pixels(container, kind, tmp_path):
    image, pixels = PICTURES[kind]
    Image.init()
    if container not in Image.SAVE:
        pytest.skip(f"this Pillow does not write {container}")
    options = {"sizes": [image.size]} if container == "ICO" else {}
    content = encoded(image, container, **options)
    expected = unit(pixels)
    if container in ("MSP", "XBM") or (container, kind) == ("PCX", "bits"):
        with Image.open(write(tmp_path, content)) as again:  # which of the two is black differs
            expected = unit(np.asarray(again.convert("L")))
    assert torch.equal(read(tmp_path, content), expected)


def write(tmp_path, content):
    (tmp_path / "picture").write_bytes(content)
    return tmp_path / "picture"


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("kind", PICTURES)
def test_compressed_tiff(kind, compression, tmp_path):
    image, pixels = PICTURES[kind]
    assert torch.equal(
        read(tmp_path, encoded(image, "TIFF", compression=compression)), unit(pixels)
    )


@pytest.mark.parametrize("compression", ["group3", "group4"])
def test_fax(compression, tmp_path):
    content = encoded(PICTURES["bits"][0], "TIFF", compression=compression)
    assert torch.equal(read(tmp_path, content), unit(PICTURES["bits"][1]))


@pytest.mark.parametrize("container", ["GIF", "PNG", "TIFF", "WEBP"])
def test_of_several_frames_the_first_is_read(container, tmp_path):
    frames = [Image.fromarray(random_bytes(H, W, seed=seed)).convert("RGB") for seed in range(3)]
    options = {"lossless": True} if container == "WEBP" else {}
    content = encoded(frames[0], container, save_all=True, append_images=frames[1:], **options)
    assert torch.equal(read(tmp_path, content), unit(np.asarray(frames[0])))
    with Image.open(tmp_path / "picture") as image:
        assert image.n_frames == 3
        image.seek(2)  # as the caller wants it
        expected = np.asarray(image.convert("RGB"))
        assert torch.equal(load_image(image), unit(expected))


def test_of_a_multi_picture_file_the_first_is_read(tmp_path):
    frames = [Image.fromarray(random_bytes(H, W, 3, seed=seed)) for seed in range(2)]
    content = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert torch.equal(read(tmp_path, content), read(tmp_path, encoded(frames[0], "JPEG")))


def test_interlaced_png(tmp_path):
    rows = b""
    for left, top, right, down in (
        *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
        *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
    ):
        rows += b"".join(b"\0" + row.tobytes() for row in GREY[top::down, left::right] if row.size)
    header = struct.pack(">IIBBBBB", W, H, 8, 0, 0, 0, 1)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    assert torch.equal(read(tmp_path, b"\x89PNG\r\n\x1a\n" + b"".join(parts)), unit(GREY))


def test_a_transparent_colour_is_a_colour(tmp_path):
    for image, pixels, one in (
        (Image.fromarray(COLOUR), COLOUR, tuple(int(value) for value in COLOUR[0, 0])),
        (Image.fromarray(GREY), GREY, int(GREY[0, 0])),
    ):
        assert torch.equal(read(tmp_path, encoded(image, "PNG", transparency=one)), unit(pixels))


@pytest.mark.parametrize("container", ["PNG", "TIFF", "BMP", "PPM", "GIF", "WEBP", "JPEG", "TGA"])
def test_one_pixel(container, tmp_path):
    content = encoded(Image.new("L", (1, 1), 255).convert("RGB"), container)
    assert read(tmp_path, content).tolist() == [[[1.0]]] * 3


@pytest.mark.skipif(not features.check("littlecms2"), reason="Pillow without colour management")
def test_lab_tiff(tmp_path):
    image = Image.new("LAB", (2, 2), (255, 128, 128))
    assert (read(tmp_path, encoded(image, "TIFF")) > 0.98).all()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
@pytest.mark.parametrize("end", [None, -30], ids=["whole", "broken"])
def test_a_pipe_is_read_once(end, tmp_path):
    pipe, content = tmp_path / "pipe", encoded(COLOUR)
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as threads:
        threads.submit(pipe.write_bytes, content[:end])
        if end is None:
            assert torch.equal(load_image(pipe), unit(COLOUR))
        else:
            with pytest.raises(UnreadableImageError, match="pipe"):
                load_image(pipe)


# ---- monsters ------------------------------------------------------------------------------------


def huge(side):
    """Headers of pictures of side × side, with next to nothing behind them."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    short = min(side, 2**16 - 1)
    return {
        "PNG": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")),
        "GIF": b"GIF89a" + struct.pack("<HHBBB", short, short, 0, 0, 0) + b",\0\0\0\0"
        + struct.pack("<HHB", short, short, 0) + b"\2\0;",
        "BMP": encoded(COLOUR, "BMP")[:18] + struct.pack("<ii", side, side) + bytes(60),
        "TIFF": files.tiff(side, side, b"\0", bits=8),
        "BigTIFF": files.tiff(side, side, b"\0", bits=8, big=True),
        "PPM": b"P6 %d %d 255\n" % (side, side),
        "plain PPM": b"P3 %d %d 9999\n" % (side, side),
        "JPEG": encoded(COLOUR, "JPEG").replace(
            struct.pack(">HH", H, W), struct.pack(">HH", short, short), 1
        ),
        "TGA": encoded(COLOUR, "TGA")[:12] + struct.pack("<HH", short, short) + b"\x18\0",
        "SGI": encoded(COLOUR, "SGI")[:6] + struct.pack(">HH", short, short) + bytes(502),
        "DDS": encoded(COLOUR, "DDS")[:12] + struct.pack("<II", side, side) + bytes(112),
        "PFM": b"Pf %d %d -1.0\n" % (side, side),
        "QOI": b"qoif" + struct.pack(">IIBB", side, side, 3, 0),
        "TIFF of a long text": files.tiff(4, 4, bytes(16), bits=8, others=[(270, 2, side, 8)]),
    }  # fmt: skip


@pytest.mark.parametrize("kind", huge(99))
@pytest.mark.parametrize("side", [9500, 2**16, 2**31 - 1])
def test_monsters_are_refused_at_once(kind, side, tmp_path):
    path = write(tmp_path, huge(side)[kind])
    started = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "TIFF of a long text":  # nothing of the picture
            assert load_image(path).shape == (3, 4, 4)
        else:
            with pytest.raises(UnreadableImageError, match="^cannot read '.*picture': "):
                load_image(path)
    assert time.monotonic() - started < 2


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other units")
def test_what_is_large_within_the_limit_needs_no_more_than_its_pixels(tmp_path):
    """In a process of its own, whose memory is its own too."""
    side = 3000  # 26 MiB of bytes, and nothing behind the header; 103 MiB of floats
    paths = []
    for kind, content in [*huge(side).items(), *huge(2**31 - 1).items()]:
        path = tmp_path / f"{len(paths)} {kind}"
        path.write_bytes(content)
        paths.append(str(path))
    code = (
        "import sys, resource\n"
        "from spitgraph.images import UnreadableImageError, load_image\n"
        "start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sys.argv[1:]:\n"
        "    try: load_image(path)\n"
        "    except UnreadableImageError: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start)"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, *paths]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 400 * 2**10  # KiB
