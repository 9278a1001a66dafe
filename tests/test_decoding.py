"""Every depth of grey has its own white; what has none is refused, and every picture is upright."""

import struct
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from helpers import files
from helpers.effort import examples
from helpers.files import encoded
from helpers.pictures import random_bytes
from spitgraph import UnreadableImageError
from spitgraph.images import load_image, load_images

#: Shades of a row: black, white, and what lies between.
SHADES = {1: [0, 1, 1, 0], 2: [0, 3, 1, 2], 4: [0, 15, 7, 8], 8: [0, 255, 100, 7]} | {
    bits: [0, 2**bits - 1, 100, 2 ** (bits - 1)] for bits in (10, 12, 14, 16)
}


def packed(values, bits, order=">"):
    """A row of values without gaps, or words of 16 bits."""
    if bits == 16:
        return struct.pack(f"{order}{len(values)}H", *values)
    row = "".join(f"{value:0{bits}b}" for value in values)
    row += "0" * (-len(row) % 8)
    return int(row, 2).to_bytes(len(row) // 8, "big")


def shades(tmp_path, content):
    (tmp_path / "grey").write_bytes(content)
    image = load_image(tmp_path / "grey")
    with Image.open(tmp_path / "grey") as opened:
        assert torch.equal(load_image(opened), image)
        opened.load()
        assert torch.equal(load_image(opened), image)
    assert torch.equal(image[0], image[1]) and torch.equal(image[0], image[2])
    return image[0]


def refused(tmp_path, content, message):
    (tmp_path / "grey").write_bytes(content)
    with pytest.raises(UnreadableImageError, match=f"^cannot read '.*grey': .*{message}"):
        load_image(tmp_path / "grey")


# ---- TIFF ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("photometric", [0, 1], ids=["0 is white", "0 is black"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", SHADES)
def test_white_of_a_tiff(bits, order, photometric, tmp_path):
    row = packed(SHADES[bits], bits, order)
    content = files.tiff(4, 1, row, bits=bits, photometric=photometric, order=order)
    # others Pillow does not know
    known = bits in (1, 2, 4, 8) or (bits == 16 and (order == "<" or photometric == 1))
    if not known and (bits, order, photometric) != (12, "<", 1):
        refused(tmp_path, content, "not an image in a format that Pillow knows")
        return
    expected = torch.tensor(SHADES[bits]) / (2**bits - 1)
    expected = expected if photometric else 1 - expected
    torch.testing.assert_close(shades(tmp_path, content)[0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("compression", [None, "tiff_adobe_deflate", "tiff_lzw"])
def test_white_of_a_compressed_tiff(compression, photometric, tmp_path):
    values = np.array([[0, 65_535, 40_000]], np.uint16)
    info = {262: photometric}
    content = encoded(Image.fromarray(values), "TIFF", compression=compression, tiffinfo=info)
    expected = torch.tensor([0, 1, 40_000 / 65_535])
    expected = expected if photometric else 1 - expected
    torch.testing.assert_close(shades(tmp_path, content)[0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("photometric", [0, 1])
def test_white_of_a_float_tiff(photometric, tmp_path):
    values = [0, 1, 0.25, 0.5]
    row, is_float = struct.pack("<4f", *values), [(339, 3, 1, 3)]
    content = files.tiff(4, 1, row, bits=32, photometric=photometric, others=is_float)
    expected = values if photometric else [1 - value for value in values]
    assert shades(tmp_path, content)[0].tolist() == expected


@pytest.mark.parametrize("values", [(0, 7), (-1, 1), (0, float("nan")), (0, float("inf"))])
def test_a_float_file_out_of_range_is_named(values, tmp_path):
    content = files.tiff(2, 1, struct.pack("<2f", *values), bits=32, others=[(339, 3, 1, 3)])
    refused(tmp_path, content, r"expected .* in \[0, 1\], got")
    with pytest.raises(UnreadableImageError, match="^image 1: cannot read '.*grey': expected"):
        load_images([torch.zeros(3, 1, 1), tmp_path / "grey"])


@pytest.mark.parametrize("kind", [1, 2], ids=["unsigned", "signed"])
@pytest.mark.parametrize("bits", [8, 16, 32])
def test_integers_without_a_white_are_refused(bits, kind, tmp_path):
    content = files.tiff(1, 1, bytes(bits // 8), bits=bits, others=[(339, 3, 1, kind)])
    taken = kind == 1 and bits < 32
    with nullcontext() if taken else pytest.raises(UnreadableImageError, match="white"):
        (tmp_path / "a.tif").write_bytes(content)
        load_image(tmp_path / "a.tif")


# ---- PNG, PGM ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_white_of_a_png(bits, tmp_path):
    content = files.png(4, 1, bits, 0, [packed(SHADES[bits], bits)])
    expected = torch.tensor(SHADES[bits]) / (2**bits - 1)
    torch.testing.assert_close(shades(tmp_path, content)[0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("colour", "samples"), [(2, 3), (4, 2), (6, 4)])
def test_colour_and_grey_with_alpha_come_in_at_8_bits(colour, samples, tmp_path):
    rows = [struct.pack(f">{4 * samples}H", *[v for v in SHADES[16] for _ in range(samples)])]
    (tmp_path / "a.png").write_bytes(files.png(4, 1, 16, colour, rows))
    image = load_image(tmp_path / "a.png")
    expected = torch.tensor(SHADES[16]) / 65_535
    torch.testing.assert_close(image[:, 0], expected.expand(3, 4), rtol=0, atol=1 / 255)
    assert (image[:, 0, 0] == 0).all() and (image[:, 0, 1] == 1).all()
    assert torch.equal(image * 255, (image * 255).round())


@given(white=st.integers(1, 65_535), seed=st.integers(0, 99))
@examples(40)
def test_white_of_a_pgm_is_what_it_says(white, seed, tmp_path):
    values = np.random.default_rng(seed).integers(0, white + 1, (3, 5))
    values[0, :2] = 0, white
    head = b"5 3\n# made by hand\n%d\n" % white
    kind = ">u1" if white < 256 else ">u2"
    step = 0.5 / (255 if white < 256 else 65_535)  # to which Pillow rounds
    for content in (
        b"P5\n" + head + values.astype(kind).tobytes(),
        b"P2\n" + head + b" ".join(b"%d" % value for value in values.flat),
    ):
        found = shades(tmp_path, content)
        expected = torch.from_numpy(values / white).float()
        torch.testing.assert_close(found, expected, rtol=0, atol=step + 1e-6)
        assert found[0, :2].tolist() == [0, 1]


# ---- others --------------------------------------------------------------------------------------


@pytest.mark.skipif(not features.check("jpg_2000"), reason="Pillow without JPEG 2000")
@pytest.mark.parametrize(("stored", "bits"), [(8, 8), (8, 4), (8, 2), (16, 16), (16, 12), (16, 9)])
def test_white_of_a_jpeg_2000(stored, bits, tmp_path):
    values = np.arange(2**bits)[:: max(1, 2 ** (bits - 4))][None].repeat(20, axis=0)
    values[:, 1] = 2**bits - 1
    # the encoder takes half the range away, which depends on the depth
    shifted = values - 2 ** (bits - 1) + 2 ** (stored - 1)
    whole = encoded(shifted.astype(f"u{stored // 8}"), "JPEG2000", no_jp2=True)
    depth = whole.index(b"\xff\x51") + 40
    assert whole[depth] == stored - 1
    content = whole[:depth] + bytes([bits - 1]) + whole[depth + 1 :]
    expected = torch.from_numpy(values / (2**bits - 1)).float()
    (tmp_path / "grey").write_bytes(content)
    found = load_image(tmp_path / "grey")[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def fits(bits):
    cards = ["SIMPLE  = T", f"BITPIX  = {bits}", "NAXIS   = 2", "NAXIS1  = 1", "NAXIS2  = 1", "END"]
    header = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    return header + bytes(2880)


def test_measurements_have_no_white(tmp_path):
    assert shades(tmp_path, fits(8)).tolist() == [[0]]
    assert shades(tmp_path, fits(-32)).tolist() == [[0]]
    for bits in (16, 32):
        refused(tmp_path, fits(bits), "no|without a value for white")


# ---- upright -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
@pytest.mark.parametrize("compression", [None, "tiff_adobe_deflate"])
@pytest.mark.parametrize("orientation", [3, 5, 6, 8])
def test_a_tiff_of_any_mode_is_upright(orientation, compression, mode, tmp_path):
    """Those on their side too, which Pillow may map into memory."""
    image = Image.fromarray(random_bytes(6, 10))
    if mode == "F":
        image = Image.fromarray(random_bytes(6, 10) / np.float32(255))
    elif mode == "I;16":
        image = Image.fromarray(random_bytes(6, 10).astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
    (tmp_path / "plain").write_bytes(encoded(image, "TIFF", compression=compression))
    tag = {274: orientation}
    (tmp_path / "tagged").write_bytes(encoded(image, "TIFF", compression=compression, tiffinfo=tag))
    stored = load_image(tmp_path / "plain")
    upright = {
        3: stored.flip(1, 2),
        5: stored.transpose(1, 2),
        6: stored.rot90(-1, (1, 2)),
        8: stored.rot90(1, (1, 2)),
    }[orientation]
    assert torch.equal(load_image(tmp_path / "tagged"), upright)
    with Image.open(tmp_path / "tagged") as opened:
        assert torch.equal(load_image(opened), upright)
        assert opened.filename == str(tmp_path / "tagged") or opened.filename == tmp_path / "tagged"
