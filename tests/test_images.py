"""Every kind of picture comes in as the same checked tensor, or is refused with a reason."""

import gc
import io
import math
import os
import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.effort import examples
from helpers.pictures import random_bytes
from spitgraph.images import UnreadableImageError, load_image, load_images

H, W = 5, 7


def unit(pixels):
    """uint8 [H, W, 3] or [H, W] → the tensor it should become."""
    pixels = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=2)
    return torch.from_numpy(pixels.astype(np.float32) / np.float32(255)).permute(2, 0, 1)


def encoded(pixels, container="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, container, **options)
    return file.getvalue()


@pytest.fixture(autouse=True)
def no_warning_leaks():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def png(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(random_bytes(H, W, 3)))
    return path


# ---- what is taken ------------------------------------------------------------------------------

CHW = torch.from_numpy(random_bytes(H, W, 3)).permute(2, 0, 1)
FORMS = {
    "uint8 tensor": CHW,
    "contiguous uint8 tensor": CHW.contiguous(),
    "float32 tensor": unit(random_bytes(H, W, 3)),
    "float64 tensor": CHW.double() / 255,
    "parameter": torch.nn.Parameter(unit(random_bytes(H, W, 3))),
    "uint8 array": random_bytes(H, W, 3),
    "float32 array": random_bytes(H, W, 3).astype(np.float32) / np.float32(255),
    "float64 array": random_bytes(H, W, 3) / 255,
    "longdouble array": random_bytes(H, W, 3).astype(np.longdouble) / 255,
    "big-endian array": (random_bytes(H, W, 3) / 255).astype(">f8"),
    "negative strides": np.ascontiguousarray(random_bytes(H, W, 3)[::-1, ::-1, ::-1])[
        ::-1, ::-1, ::-1
    ],
    "Fortran order": np.asfortranarray(random_bytes(H, W, 3)),
    "array subclass": random_bytes(H, W, 3).view(np.recarray),
    "PIL image": Image.fromarray(random_bytes(H, W, 3)),
}


@pytest.mark.parametrize("image", FORMS.values(), ids=FORMS.keys())
def test_every_form_gives_the_same_pixels(image):
    images, several = load_images(image)
    assert several is False
    assert len(images) == 1
    assert images[0].dtype == torch.float32
    torch.testing.assert_close(images[0], unit(random_bytes(H, W, 3)), rtol=0, atol=0)
    assert torch.equal(load_image(image), images[0])


@pytest.mark.parametrize("kind", [str, Path])
def test_path(png, kind):
    images, several = load_images(kind(png))
    assert several is False
    assert torch.equal(images[0], unit(random_bytes(H, W, 3)))


GREY = random_bytes(H, W)


@pytest.mark.parametrize(
    "image",
    [
        torch.from_numpy(GREY)[None],
        torch.from_numpy(GREY)[None].double() / 255,
        GREY,
        GREY / 255,
        Image.fromarray(GREY),
    ],
    ids=["uint8 tensor", "float tensor", "uint8 array", "float array", "PIL image"],
)
def test_grey_repeats_its_channel(image):
    assert torch.equal(load_image(image), unit(GREY))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_float_dtype_becomes_float32(dtype):
    image = torch.rand(3, H, W, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert torch.equal(load_image(image), image.float())


def test_every_uint8_value_is_its_float32_quotient_by_255():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = torch.from_numpy(values.astype(np.float32) / np.float32(255))
    assert torch.equal(load_image(values)[0], expected)
    assert torch.equal(load_image(torch.from_numpy(values)[None])[0], expected)
    assert torch.equal(load_image(Image.fromarray(values))[0], expected)
    assert expected.min() == 0
    assert expected.max() == 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["uint8", "float"])
def test_batch_is_its_images(channels, kind):
    batch = torch.from_numpy(random_bytes(4, channels, H, W))
    batch = batch if kind == "uint8" else batch.double() / 255
    images, several = load_images(batch)
    assert several is True
    assert len(images) == 4
    for image, alone in zip(images, batch, strict=True):
        assert image.shape == (3, H, W)
        assert torch.equal(image, load_image(alone))


@pytest.mark.parametrize("container", [list, tuple])
def test_list_mixes_kinds_and_sizes(container, png):
    items = [
        png,
        str(png),
        random_bytes(2, 9, 3),
        GREY,
        CHW,
        torch.rand(1, 3, 3),
        Image.new("L", (8, 1)),
    ]
    images, several = load_images(container(items))
    assert several is True
    assert len(images) == len(items)
    for image, item in zip(images, items, strict=True):
        assert torch.equal(image, load_image(item))


@pytest.mark.parametrize("several", [[CHW], CHW[None]], ids=["list", "batch"])
def test_one_image_in_a_batch_or_list_is_several(several):
    assert load_images(several)[1] is True


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1)])
def test_thin_images(size, tmp_path):
    pixels = random_bytes(*size, 3)
    (tmp_path / "thin.png").write_bytes(encoded(pixels))
    for image in (pixels, torch.from_numpy(pixels).permute(2, 0, 1), tmp_path / "thin.png"):
        assert torch.equal(load_image(image), unit(pixels))


def test_read_only_array_is_copied():
    array = random_bytes(H, W, 3).astype(np.float32) / 255
    array.setflags(write=False)
    image = load_image(array)
    image.zero_()
    assert array.any()


def test_unaligned_array():
    pixels = random_bytes(H, W, 3).astype(np.float32) / np.float32(255)
    buffer = np.zeros(pixels.nbytes + 1, np.uint8)
    unaligned = buffer[1:].view(np.float32).reshape(pixels.shape)
    unaligned[:] = pixels
    assert not unaligned.flags.aligned
    image = load_image(unaligned)
    assert torch.equal(image, unit(random_bytes(H, W, 3)))
    assert image.data_ptr() % image.element_size() == 0


@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from([np.uint8, np.float16, np.float32, np.float64]),
    grey=st.booleans(),
)
@examples(60)
def test_array_equals_its_tensor(size, seed, dtype, grey):
    pixels = random_bytes(*size, *(() if grey else (3,)), seed=seed)
    pixels = pixels if dtype == np.uint8 else (pixels / 255).astype(dtype)
    tensor = torch.from_numpy(pixels)
    tensor = tensor[None] if grey else tensor.permute(2, 0, 1)
    assert torch.equal(load_image(pixels), load_image(tensor))


# ---- gradients, devices -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(3, H, W), (1, H, W), (2, 3, H, W), (2, 1, H, W)])
def test_gradients_reach_the_input(shape, dtype):
    batch = torch.full(shape, 0.5, dtype=dtype, requires_grad=True)
    images, _ = load_images(batch)
    sum((i + 1) * image.sum() for i, image in enumerate(images)).backward()
    copies = 3 if shape[-3] == 1 else 1
    for i, grad in enumerate(batch.grad.reshape(len(images), -1)):
        assert (grad == copies * (i + 1)).all()


def test_gradients_reach_every_item_of_a_list():
    items = [torch.full((3, 2, n), 0.5, requires_grad=True) for n in (2, 3)]
    sum(image.sum() for image in load_images(items)[0]).backward()
    assert all((item.grad == 1).all() for item in items)


def test_float32_images_share_memory_with_their_batch():
    batch = torch.rand(2, 3, H, W)
    images, _ = load_images(batch)
    assert [image.data_ptr() for image in images] == [image.data_ptr() for image in batch]


def test_list_on_two_devices_is_refused(png):
    elsewhere = torch.zeros(3, 2, 2, dtype=torch.uint8, device="meta")
    with pytest.raises(ValueError, match=r"image 1: .*one device.* on meta and image 0 on cpu"):
        load_images([CHW, elsewhere])
    with pytest.raises(ValueError, match=r"image 2: .* on cpu and image 0 on meta.*files"):
        load_images([elsewhere, elsewhere, png])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cuda_gives_the_same_bits():
    values = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)
    images, _ = load_images([values.cuda(), (values.double() / 255).cuda()])
    for image in images:
        assert image.is_cuda
        assert torch.equal(image.cpu(), load_image(values))
    with pytest.raises(ValueError, match=r"image 1: .* on cpu and image 0 on cuda:0"):
        load_images([values.cuda(), values])


# ---- files and PIL modes ------------------------------------------------------------------------

UPRIGHT = {  # EXIF orientation → what turns the stored pixels upright (TIFF 6.0, tag 274)
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("container", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation(orientation, container, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = random_bytes(H, W, 3)
    plain, tagged = tmp_path / "plain", tmp_path / "tagged"
    plain.write_bytes(encoded(pixels, container))
    tagged.write_bytes(encoded(pixels, container, exif=exif))
    with Image.open(plain) as image:  # JPEG and WebP lose a little
        stored = np.asarray(image.convert("RGB"))
    expected = unit(np.ascontiguousarray(UPRIGHT[orientation](stored)))
    assert torch.equal(load_image(tagged), expected)
    with Image.open(tagged) as image:
        assert torch.equal(load_image(image), expected)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_of_16_bit_grey(orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = random_bytes(H, W).astype(np.uint16) * 257
    (tmp_path / "tagged.png").write_bytes(encoded(pixels, exif=exif))
    expected = unit(np.ascontiguousarray(UPRIGHT[orientation](random_bytes(H, W))))
    torch.testing.assert_close(load_image(tmp_path / "tagged.png"), expected, rtol=0, atol=1e-6)


def test_other_exif_is_no_obstacle(tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "a description"
    (tmp_path / "a.jpg").write_bytes(encoded(random_bytes(H, W, 3), "JPEG", exif=exif))
    assert load_image(tmp_path / "a.jpg").shape == (3, H, W)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "CMYK", "YCbCr", "HSV", "LAB", "RGBX"])
def test_opaque_modes_are_converted(mode):
    image = Image.fromarray(random_bytes(H, W, 3)).convert("LAB" if mode == "LAB" else "RGB")
    image = image if image.mode == mode else image.convert(mode)
    assert image.mode == mode
    assert torch.equal(load_image(image), unit(np.asarray(image.convert("RGB"))))


def test_one_bit():
    image = Image.new("1", (2, 1))
    image.putpixel((1, 0), 1)
    assert load_image(image)[:, 0].tolist() == [[0, 1]] * 3


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_alpha_is_dropped_not_blended(mode):
    colours = random_bytes(H, W, 3) if mode == "RGBA" else np.stack([GREY] * 3, axis=2)
    opaque = Image.fromarray(colours)
    image = opaque.convert("RGBA") if mode == "RGBA" else opaque.convert("L").convert(mode)
    image.putalpha(Image.fromarray(random_bytes(H, W, seed=1)))
    assert image.mode == mode
    assert torch.equal(load_image(image), unit(colours))


@pytest.mark.parametrize(("mode", "premultiplied"), [("RGBA", "RGBa"), ("LA", "La")])
def test_premultiplied_alpha_is_divided_out(mode, premultiplied):
    image = Image.new(mode, (2, 2), (200, 128) if mode == "LA" else (200, 100, 50, 128))
    expected = load_image(image)
    torch.testing.assert_close(
        load_image(image.convert(premultiplied)), expected, rtol=0, atol=0.01
    )


@pytest.mark.parametrize("transparency", [None, 3, bytes(range(256))])
def test_palette_is_looked_up(transparency, tmp_path):
    indices, palette = random_bytes(H, W), random_bytes(256, 3, seed=1)
    image = Image.fromarray(indices).convert("L")
    image.putpalette(palette.tobytes())
    options = {} if transparency is None else {"transparency": transparency}
    image.save(tmp_path / "palette.png", **options)
    with Image.open(tmp_path / "palette.png") as saved:
        assert saved.mode == "P"
    assert torch.equal(load_image(tmp_path / "palette.png"), unit(palette[indices]))


def test_cmyk_jpeg(tmp_path):
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    image.save(tmp_path / "cmyk.jpg", quality=95)
    red = load_image(tmp_path / "cmyk.jpg")
    assert red[0].min() > 0.97
    assert red[1:].max() < 0.03


WIDE = np.array([[0, 1, 255], [256, 40_000, 65_535]], dtype=np.uint16)


@pytest.mark.parametrize("name", ["grey.png", "grey.tif", "grey.pgm"])
def test_16_bit_grey_file_keeps_16_bits(name, tmp_path):
    if name.endswith("pgm"):  # not every Pillow writes it
        (tmp_path / name).write_bytes(b"P5 3 2 65535\n" + WIDE.astype(">u2").tobytes())
    else:
        Image.fromarray(WIDE).save(tmp_path / name)
    expected = torch.from_numpy(WIDE.astype(np.float32) / np.float32(65535)).expand(3, -1, -1)
    assert torch.equal(load_image(tmp_path / name), expected)


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L"])
def test_16_bit_grey_image_keeps_16_bits(mode):
    dtype = ">u2" if mode == "I;16B" else "<u2"
    image = Image.frombytes(mode, (3, 2), WIDE.astype(dtype).tobytes())
    expected = torch.from_numpy(WIDE.astype(np.float32) / np.float32(65535)).expand(3, -1, -1)
    assert torch.equal(load_image(image), expected)


def test_float_pil_image_is_like_a_float_array():
    values = (GREY / 255).astype(np.float32)
    assert torch.equal(load_image(Image.fromarray(values)), load_image(values))
    with pytest.raises(ValueError, match=r"floats in \[0, 1\], got .* un-normalised"):
        load_image(Image.fromarray(values * 2))


def test_32_bit_integer_pil_image_is_refused():
    with pytest.raises(UnreadableImageError, match=r"cannot read .*mode=I .*mode 'I' .*white"):
        load_image(Image.new("I", (2, 2)))


def test_pil_image_is_left_as_it_was(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.png").write_bytes(encoded(random_bytes(H, W, 3), exif=exif))
    with Image.open(tmp_path / "a.png") as image:
        load_image(image)
        assert image.size == (W, H)
        assert image.getexif()[0x0112] == 6


# ---- unreadable files ---------------------------------------------------------------------------


def unreadable(path, cause):
    return pytest.raises(
        UnreadableImageError, match=f"^cannot read '{re.escape(str(path))}': {cause}"
    )


def test_missing_file(tmp_path):
    with unreadable(tmp_path / "none.png", "No such file"):
        load_image(tmp_path / "none.png")


def test_directory(tmp_path):
    with unreadable(tmp_path, "Is a directory"):
        load_image(str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_not_an_image(content, tmp_path):
    (tmp_path / "a.png").write_bytes(content)
    with unreadable(tmp_path / "a.png", "not an image"):
        load_image(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a\nb.png", "ä\udcff.png", "a'b.png"])
def test_an_odd_path_is_named_in_what_can_be_printed(name, tmp_path):
    with pytest.raises(
        UnreadableImageError, match="^cannot read ['\"].*b?.png['\"]: No such"
    ) as error:
        load_image(tmp_path / name)
    assert str(error.value).isprintable()


def test_the_path_of_a_directory_entry_in_bytes(png):
    (entry,) = os.scandir(os.fsencode(png.parent))
    assert torch.equal(load_image(entry), load_image(png))


def test_path_that_no_file_can_have():
    with pytest.raises(UnreadableImageError, match="null"):
        load_image("a\0b.png")
    with pytest.raises(UnreadableImageError, match="^cannot read '': "):
        load_image("")


@pytest.mark.parametrize("container", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_truncated_file(container, tmp_path):
    path = tmp_path / "cut"
    content = encoded(random_bytes(40, 40, 3), container)
    path.write_bytes(content[: len(content) // 2])
    with unreadable(path, "."):
        load_image(path)
    with pytest.raises(UnreadableImageError, match="^image 1: cannot read '.*cut': "):
        load_images([CHW, path])


@pytest.mark.parametrize("container", ["JPEG", "PNG", "BMP"])
def test_a_cut_anywhere_is_refused_or_harmless(container, tmp_path):
    path = tmp_path / "cut"
    content = encoded(random_bytes(8, 8, 3), container)
    path.write_bytes(content)
    whole = load_image(path)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        try:
            image = load_image(path)
        except UnreadableImageError as error:
            assert str(path) in str(error)  # noqa: PT017
        else:
            assert torch.equal(image, whole)


@pytest.mark.parametrize("container", ["JPEG", "PNG", "GIF", "TIFF", "WEBP"])
def test_broken_bytes_raise_nothing_else(container, tmp_path):
    path = tmp_path / "broken"
    content = np.frombuffer(encoded(random_bytes(8, 8, 3), container), np.uint8)
    for seed in range(60):
        random = np.random.default_rng(seed)
        broken = content.copy()
        broken[random.integers(0, len(content), 4)] = random.integers(0, 256, 4, dtype=np.uint8)
        path.write_bytes(broken.tobytes())
        try:
            image = load_image(path)
        except UnreadableImageError as error:
            assert str(path) in str(error)  # noqa: PT017
        else:
            assert image.shape[0] == 3


def test_lazily_opened_truncated_image_names_its_file(tmp_path):
    content = encoded(random_bytes(40, 40, 3), "JPEG")
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    with Image.open(tmp_path / "cut.jpg") as image, unreadable(tmp_path / "cut.jpg", ".*truncated"):
        load_image(image)


def test_closed_image(png):
    with Image.open(png) as image:
        pass
    with pytest.raises(UnreadableImageError, match="cannot read '.*picture.png'"):
        load_image(image)


@pytest.mark.parametrize("filters", ["error", "ignore"])
@pytest.mark.parametrize("limit", [H * W - 1, H * W // 2 - 1], ids=["PIL warns", "PIL raises"])
def test_decompression_bomb(limit, filters, png, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings():
        warnings.simplefilter(filters)
        with unreadable(png, ".*decompression bomb"):
            load_image(png)
        with pytest.raises(UnreadableImageError, match="^image 1: .*decompression bomb"):
            load_images([CHW, png])


def test_an_icon_larger_than_its_directory_says_is_a_bomb(tmp_path, monkeypatch):
    content = encoded(random_bytes(32, 32, 3), "ICO", sizes=[(32, 32)])
    (tmp_path / "small").write_bytes(content[:6] + b"\2\2" + content[8:])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 32 * 32 - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with unreadable(tmp_path / "small", ".*32×32 pixels .*decompression bomb"):
            load_image(tmp_path / "small")


@pytest.mark.parametrize("limit", [H * W, None])
def test_no_bomb_up_to_the_limit(limit, png, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert load_image(png).shape == (3, H, W)


def test_warning_filters_are_left_alone(png, tmp_path):
    before = list(warnings.filters)
    load_image(png)
    with pytest.raises(UnreadableImageError):
        load_image(tmp_path / "none.png")
    assert list(warnings.filters) == before


def test_unreadable_is_os_and_value_error_with_a_plain_message():
    error = UnreadableImageError("cannot read 'a.png': why")
    assert isinstance(error, OSError)
    assert isinstance(error, ValueError)
    assert str(error) == "cannot read 'a.png': why"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # as between loader workers


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_files_are_closed(png, tmp_path):
    content = png.read_bytes()
    (tmp_path / "cut.png").write_bytes(content[:-30])
    (tmp_path / "text.png").write_bytes(b"text")
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    errors = []
    image = load_image(png)
    for name in ("cut.png", "text.png"):
        with pytest.raises(UnreadableImageError) as caught:
            load_image(tmp_path / name)
        errors.append(caught)  # keeps the frames, and so whatever they hold open
    assert len(os.listdir("/proc/self/fd")) == before
    assert image.shape == (3, H, W)


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.rand(2, H, W), r"3 or 1 channels, got a tensor \[2, 5, 7\]"),
        (torch.rand(4, H, W), r"3 or 1 channels, got a tensor \[4, 5, 7\]"),
        (torch.rand(0, H, W), r"3 or 1 channels, got a tensor \[0, 5, 7\]"),
        (torch.rand(2, 4, H, W), r"3 or 1 channels, got a tensor \[2, 4, 5, 7\]"),
        (torch.rand(H, W), r"got a tensor \[5, 7\]; tensors are .* grey \[1, H, W\]"),
        (torch.rand(H, W, 3), r"got a tensor \[5, 7, 3\]; tensors are \[3, H, W\].*arrays"),
        (torch.rand(2, H, W, 3), r"got a tensor \[2, 5, 7, 3\]; tensors are \[3, H, W\]"),
        (torch.rand(1, 2, 3, H, W), r"got a tensor \[1, 2, 3, 5, 7\]"),
        (torch.tensor(0.5), r"got a tensor \[\]"),
        (random_bytes(3, H, W), r"got an array \[3, 5, 7\]; tensors are .*arrays \[H, W, 3\]"),
        (random_bytes(H, W, 4), r"3 channels or grey, got an array \[5, 7, 4\]"),
        (random_bytes(H, W, 1), r"3 channels or grey, got an array \[5, 7, 1\]"),
        (random_bytes(2, H, W, 3), r"got an array \[2, 5, 7, 3\]"),
        (random_bytes(7), r"got an array \[7\]"),
        (torch.rand(3, 0, W), r"at least one pixel, got an empty tensor \[3, 0, 7\]"),
        (torch.rand(1, H, 0), r"empty tensor \[1, 5, 0\]"),
        (torch.rand(2, 3, H, 0), r"empty tensor \[2, 3, 5, 0\]"),
        (random_bytes(0, W, 3), r"at least one pixel, got an empty array \[0, 7, 3\]"),
        (random_bytes(H, 0), r"empty array \[5, 0\]"),
        (Image.new("RGB", (0, 5)), r"empty array \[5, 0, 3\]"),
    ],
)
def test_other_shapes_are_refused(image, message):
    with pytest.raises(ValueError, match="^expected .*" + message):
        load_images(image)
    if not (isinstance(image, torch.Tensor) and image.ndim == 4):
        with pytest.raises(ValueError, match="^image 1: expected .*" + message):
            load_images([CHW, image])


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(3, H, W, dtype=torch.bool), r"torch.bool of shape \[3, 5, 7\]"),
        (torch.zeros(3, H, W, dtype=torch.int64), "torch.int64"),
        (torch.zeros(3, H, W).to_sparse(), "dense tensor, got torch.sparse_coo"),
        (torch.zeros(3, H, W, dtype=torch.int8), "torch.int8"),
        (torch.zeros(3, H, W, dtype=torch.complex64), "torch.complex64"),
        (np.zeros((H, W, 3), bool), r"bool of shape \[5, 7, 3\]"),
        (np.zeros((H, W, 3), np.uint16), "uint16"),
        (np.zeros((H, W, 3), np.int64), "int64"),
        (np.zeros((H, W, 3), complex), "complex128"),
        (np.zeros((H, W, 3), object), "object"),
        (None, "got builtins.NoneType"),
        (3, "got builtins.int"),
        (0.5, "got builtins.float"),
        (b"picture.png", "got builtins.bytes: os.fsdecode a path, and open .*BytesIO"),
        ({"image": CHW}, "got builtins.dict"),
        (iter([CHW]), "got builtins.list_iterator"),
        (io.BytesIO(), "got _io.BytesIO"),
        (Image, "got builtins.module"),
    ],
)
def test_other_types_and_dtypes_are_refused(image, message):
    for load in (load_images, load_image):
        with pytest.raises(TypeError, match="^expected .*" + message):
            load(image)
    with pytest.raises(TypeError, match="^image 1: expected .*" + message):
        load_images([CHW, image])


def with_value(value, dtype=torch.float32):
    image = torch.full((3, H, W), 0.5, dtype=dtype)
    image[1, 2, 3] = value
    return image


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "finite values .*got NaN"),
        (math.inf, "finite values .*got Inf"),
        (-math.inf, "finite values .*got Inf"),
        (-0.25, r"floats in \[0, 1\], got -0.25 to 0.5; normalised images must be un-normalised"),
        (2.5, r"floats in \[0, 1\], got 0.5 to 2.5; normalised images must be un-normalised"),
        (255.0, "got 0.5 to 255; divide by 255, or pass uint8.*un-normalised"),
        (300.0, "got 0.5 to 300; normalised images"),
        (1.0000001192092896, "got 0.5 to 1.0000001"),
        (1.05, r"got 0.5 to 1.05; clamp\(0, 1\) what resizing has left.*; normalised images"),
        (-0.0625, r"got -0.0625 to 0.5; clamp\(0, 1\) what resizing has left.*; normalised images"),
        (-1.1920928955078125e-07, r"got -1.1920929e-07 to 0.5; clamp\(0, 1\)"),
    ],
)
def test_values_outside_the_unit_range_are_refused(value, message):
    image = with_value(value)
    array = image.permute(1, 2, 0).numpy()
    for one in (image, image.double(), image.requires_grad_(), array, array.astype(">f8")):
        with pytest.raises(ValueError, match="^expected .*" + message):
            load_images(one)
        with pytest.raises(ValueError, match="^image 2: expected .*" + message):
            load_images([CHW, with_value(0.5), one])
    with pytest.raises(ValueError, match="^image 2: expected .*" + message):
        load_images(torch.stack([with_value(0), with_value(1), image]))


def test_negative_values_are_no_8_bit_picture():
    image = with_value(-2.0)
    image[0] = 4.0
    with pytest.raises(ValueError, match="got -2 to 4; normalised"):
        load_image(image)


def test_nan_is_found_beside_inf():
    image = with_value(math.nan)
    image[0, 0, 0] = math.inf
    with pytest.raises(ValueError, match="got NaN"):
        load_image(image)


def test_float64_beyond_float32_is_inf():
    with pytest.raises(ValueError, match="got Inf"):
        load_image(with_value(1e300, torch.float64).permute(1, 2, 0).numpy())


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0])
def test_ends_of_the_range_are_inside(value):
    assert load_image(with_value(value)).shape == (3, H, W)


@pytest.mark.parametrize("excess", [1e-12, 1e-30, 2**-24])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_rounds_to_the_ends_of_the_range_is_these(dtype, excess):
    for value, end in ((1 + excess, 1), (-excess, 0)):
        image = with_value(value, dtype)
        for one in (image, image.permute(1, 2, 0).numpy(), image[None]):
            before = image.clone()
            found = load_images(one)[0][0]
            assert found[1, 2, 3] == end
            assert found.min() >= 0 and found.max() <= 1
            assert torch.equal(image, before)


def test_gradients_pass_what_rounds_to_zero():
    image = with_value(-1e-12).requires_grad_()
    load_image(image).sum().backward()
    assert (image.grad == 1).all()


def masked(pixels):
    return np.ma.masked_array(pixels, np.arange(pixels.size).reshape(pixels.shape) == 1)


@pytest.mark.parametrize("pixels", [random_bytes(H, W, 3), random_bytes(H, W) / 255])
def test_masked_arrays_are_refused_unless_nothing_is_masked(pixels):
    with pytest.raises(ValueError, match="^image 1: expected a value for every pixel, .*masked"):
        load_images([CHW, masked(pixels)])
    assert torch.equal(load_image(np.ma.masked_array(pixels)), load_image(pixels))


@pytest.mark.parametrize("empty", [[], (), torch.rand(0, 3, H, W), torch.rand(0, 1, H, W)])
def test_empty_list_or_batch_is_refused(empty):
    with pytest.raises(ValueError, match="at least one image, got an empty list or batch"):
        load_images(empty)


@pytest.mark.parametrize("several", [[CHW, CHW], (CHW, CHW), torch.rand(2, 3, H, W), [CHW, [0]]])
def test_a_batch_or_list_is_no_single_image(several):
    with pytest.raises(ValueError, match="^expected one image, got a batch or list of 2"):
        load_image(several)
    with pytest.raises(ValueError, match="^image 3: expected one image, got a batch or list of 2"):
        load_images([CHW, CHW, CHW, several])


def test_error_in_a_list_keeps_its_cause(tmp_path):
    with pytest.raises(UnreadableImageError) as caught:
        load_images([tmp_path / "none.png"])
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_all_float_images_are_checked_with_one_transfer(monkeypatch):
    transfers = []
    tolist = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: (transfers.append(1), tolist(self))[1])
    load_images([with_value(0.1), CHW, with_value(0.2)])
    load_images(torch.rand(5, 3, H, W))
    load_images([CHW, CHW])  # uint8 needs none
    assert len(transfers) == 2


def test_arrays_backwards_along_a_side_of_one_pixel():
    row = random_bytes(1, 5, 3)
    assert torch.equal(load_image(row[::-1]), load_image(row))
    column = random_bytes(5, 1, 3)[:, ::-1, ::-1]
    assert torch.equal(load_image(column), load_image(column.copy()))


def test_a_tensor_without_numbers_is_refused():
    with pytest.raises(ValueError, match="got no numbers: \\[3, 4, 5\\] on 'meta'"):
        load_image(torch.empty(3, 4, 5, device="meta"))
