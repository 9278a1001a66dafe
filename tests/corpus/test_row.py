"""A token graph as a row: everything comes back, bit for bit, but for what was left out."""

import io

import pytest
import torch
from PIL import Image

from helpers.corpora import assert_same_graph, picture
from helpers.pictures import mixed, noise
from spitgraph import InterpolationExtractor, PatchTokenizer, SuperpixelTokenizer, from_partition
from spitgraph.corpus.pictures import image_of_bytes, pixels_to_bytes
from spitgraph.corpus.row import row_of, tokens_of
from spitgraph.corpus.schema import Layout
from spitgraph.images import checked_image

WHOLE = Layout(pixels=True, vectors="float32", graph=True)
TOKENIZER = SuperpixelTokenizer(3)


def there_and_back(tokens, layout=WHOLE, **given):
    return tokens_of(row_of(tokens, layout, **given), layout)


@pytest.mark.parametrize(
    "tokenizer", [TOKENIZER, PatchTokenizer(4)], ids=["superpixels", "patches"]
)
def test_a_graph_comes_back(tokenizer, awkward_images):
    extractor = InterpolationExtractor(4)
    for image in awkward_images:
        tokens = extractor(tokenizer(image))
        assert_same_graph(tokens, there_and_back(tokens))
        without = there_and_back(tokens, Layout())
        assert_same_graph(tokens, without, without=("pixels", "x"))
        assert "pixels" not in without and without.x is None


def test_floats_that_are_no_bytes_come_back():
    tokens = TOKENIZER(noise(9, 11))
    assert_same_graph(tokens, there_and_back(tokens, Layout(pixels=True)))


def test_vectors_of_16_bits_are_rounded_and_nothing_else():
    tokens = InterpolationExtractor(4)(TOKENIZER(mixed()))
    back = there_and_back(tokens, Layout(vectors="float16"))
    assert torch.equal(back.x, tokens.x.half().float())


def test_without_the_hierarchy_the_tokens_are_the_same():
    tokens = TOKENIZER(mixed())
    back = there_and_back(tokens, Layout(hierarchy=False))
    left_out = ("hierarchy", "level_sizes", "num_levels", "pixels")
    assert_same_graph(tokens, back, without=left_out)
    assert len(back.parents) == 1 and torch.equal(back.parents[0], tokens.cluster)


def test_numbers_and_pieces_of_ones_own_partition_come_back():
    labels = torch.tensor([[7, 1, 7], [1, 7, 3]])
    tokens = from_partition(noise(2, 3), labels)
    assert_same_graph(tokens, there_and_back(tokens))


def test_what_users_add_and_change_comes_back():
    tokens = TOKENIZER(mixed()).without_pixels()
    tokens.y = torch.arange(len(tokens.size))
    tokens.edge_attr = tokens.edge_attr / 3
    tokens.share = torch.rand(len(tokens.size), dtype=torch.float64)
    tokens.source, tokens.split = "somewhere", 3
    del tokens["bbox"]
    back = there_and_back(tokens, Layout())
    assert_same_graph(tokens, back)
    assert "bbox" not in back


def test_labels():
    tokens = TOKENIZER(mixed())
    layout = Layout(classes=("cat", "dog"))
    row = row_of(tokens, layout, label=1)
    assert (row["label"], row["label_name"]) == (1, "dog")
    assert tokens_of(row, layout).y.tolist() == [1]
    tokens.y = torch.tensor([0])
    assert row_of(tokens, layout)["label"] == 0
    assert "y" not in there_and_back(TOKENIZER(mixed()))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_bytes_of_a_file_are_kept_and_decoded_alike(format, tmp_path):
    content = picture(0, 20, 30, format)
    (tmp_path / "picture").write_bytes(content)
    tokens = TOKENIZER(tmp_path / "picture")
    row = row_of(tokens, WHOLE, file=content)
    assert row["pixels"] == content
    assert_same_graph(tokens, tokens_of(row, WHOLE))
    with pytest.raises(ValueError, match="do not decode to"):
        row_of(tokens, WHOLE, file=picture(1, 20, 30, format))


def test_orientation_is_that_of_the_file(tmp_path):
    file, exif = io.BytesIO(), Image.Exif()
    exif[274] = 6
    Image.open(io.BytesIO(picture(0, 20, 30))).save(file, "JPEG", exif=exif)
    (tmp_path / "turned.jpg").write_bytes(file.getvalue())
    upright = image_of_bytes(file.getvalue(), "turned.jpg")
    assert upright.shape == (3, 30, 20)
    assert torch.equal(upright, checked_image(tmp_path / "turned.jpg"))


def test_pixels_of_8_bits_become_a_png():
    image = mixed()
    content = pixels_to_bytes(TOKENIZER(image).pixels, *image.shape[1:])
    assert content.startswith(b"\x89PNG") or content.startswith(b"\x93NUMPY")
    tokens = TOKENIZER(picture_tensor())
    assert pixels_to_bytes(tokens.pixels, 10, 13).startswith(b"\x89PNG")


def picture_tensor():
    return image_of_bytes(picture(3), "picture")


def test_the_key_follows_from_what_the_picture_is():
    tokens, content = TOKENIZER(picture_tensor()), picture(3)
    one = row_of(tokens, WHOLE, path="a", file=content)["key"]
    assert one == row_of(tokens, WHOLE, path="b", file=content)["key"]
    assert one != row_of(TOKENIZER(mixed()), WHOLE)["key"]
    assert row_of(tokens, WHOLE, key="mine")["key"] == "mine"


def test_what_is_no_graph_of_an_image_is_refused(unchecked):
    with pytest.raises(ValueError, match="got a batch"):
        row_of(TOKENIZER([mixed(), mixed()]), WHOLE)
    with pytest.raises(TypeError, match="TokenData of an image"):
        row_of(torch.zeros(3), WHOLE)
    tokens = TOKENIZER(mixed())
    tokens.thing = object()
    with pytest.raises(ValueError, match="cannot keep thing"):
        row_of(tokens, Layout())


def test_a_row_takes_a_twentieth_of_what_a_graph_takes():
    tokens = TOKENIZER(mixed(120, 160))
    file = io.BytesIO()
    torch.save(tokens, file)
    row = row_of(tokens, Layout())
    assert 20 * (len(row["levels"]) + row["color"].nbytes) < len(file.getvalue())
