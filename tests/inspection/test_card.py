"""What notebooks show: whole HTML with nothing from outside, whatever became of the tokens."""

import io
import re
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image
from torch_geometric.data import Batch

from helpers.pictures import noise, noise_of_bytes
from spitgraph import InterpolationExtractor, PatchTokenizer, SuperpixelTokenizer, TokenData

WITHOUT_END = {"img"}


class Checker(HTMLParser):
    """Every element is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in WITHOUT_END:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(html):
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert not checker.open
    assert not re.search(r"(?:src|href)=\"(?!data:image/png;base64,)|url\(|<script|@import", html)
    return checker


def pictures(html):
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(b64decode(data))) for data in found]


def test_an_image_shows_what_it_holds():
    tokens = InterpolationExtractor(bins=2)(SuperpixelTokenizer(2)(noise(40, 60)))
    html = tokens._repr_html_()
    text = read(html).text
    assert "60 × 40 pixels" in text and f"{tokens.num_edges // 2:,} pairs that touch" in text
    assert " → ".join(f"{count:,}" for count in tokens.tree.image_counts[0]) in text
    assert all(name in text for name in tokens.to_dict())
    assert str(list(tokens.x.shape)) in text
    (picture,) = pictures(html)
    assert picture.size == (200, 133)
    assert repr(tokens).startswith("TokenData(")  # and stays


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (300, 300), (64, 2000)])
def test_pictures_of_any_image_are_small(size):
    html = PatchTokenizer(16)(noise_of_bytes(*size))._repr_html_()
    assert len(html) < 70_000
    (picture,) = pictures(html)
    assert max(picture.size) == 200
    assert min(picture.size) == max(25, round(200 * min(size) / max(size)))


def test_borders_are_where_the_regions_meet():
    image = torch.full((3, 100, 100), 0.5)
    (picture,) = pictures(PatchTokenizer(50)(image)._repr_html_())
    colors = torch.from_numpy(np.array(picture.convert("RGB"))).int()
    yellow = (colors - 128).abs().amax(dim=2) > 20
    assert yellow[99].all() and yellow[:, 99].all()
    assert yellow.sum() == 2 * 200 - 1


def test_without_pixels_regions_have_their_colours():
    tokens = PatchTokenizer(50)(torch.full((3, 100, 100), 0.5)).without_pixels()
    (picture,) = pictures(tokens._repr_html_())
    assert picture.convert("RGB").getpixel((10, 10)) == (128, 128, 128)


def test_parts_of_a_graph_say_why_there_is_no_picture():
    html = SuperpixelTokenizer(2)(noise(20, 20)).subgraph(torch.arange(3))._repr_html_()
    assert not pictures(html)
    assert "no picture: the pixel map (cluster) no longer belongs" in read(html).text


def test_batches_have_a_row_an_image():
    images = [noise(10, 12), noise(7, 5), noise(1, 1)]
    html = SuperpixelTokenizer(2)(images)._repr_html_()
    text = read(html).text
    assert text.startswith("Batch of TokenData 3 images")
    assert [picture.size for picture in pictures(html)] == [(64, 53), (46, 64), (64, 64)]
    many = PatchTokenizer(4)([noise(4, 4)] * 11)
    assert (
        len(pictures(many._repr_html_())) == 8 and "… and 3 more" in read(many._repr_html_()).text
    )
    of_lists = Batch.from_data_list([PatchTokenizer(4)(image) for image in images])
    assert len(pictures(of_lists._repr_html_())) == 3


def test_parts_of_a_batch_are_told():
    batch = SuperpixelTokenizer(2)([noise(10, 12), noise(7, 5)]).subgraph(torch.arange(4))
    assert "images are not known apart" in read(batch._repr_html_()).text


def test_names_and_types_of_others_stay_text():
    tokens = PatchTokenizer(4)(noise(8, 8))
    tokens["<script>alert(1)</script>"] = torch.zeros(2)
    tokens.title = "<img src=x onerror=alert(1)>"
    checker = read(tokens._repr_html_())
    assert "script" not in checker.seen and "<script>alert(1)</script>" in checker.text


def test_broken_graphs_show_something(awkward_image):
    read(TokenData()._repr_html_())
    for name in ("cluster", "color", "pixels", "image_size", "edge_index", "hierarchy", "size"):
        tokens = SuperpixelTokenizer(1)(awkward_image)
        del tokens[name]
        read(tokens._repr_html_())
        tokens = SuperpixelTokenizer(1)(awkward_image)
        tokens[name] = torch.zeros(0)
        read(tokens._repr_html_())
        tokens[name] = "<b>"
        read(tokens._repr_html_())


def test_backgrounds_and_texts_are_the_notebooks():
    html = PatchTokenizer(4)(noise(8, 8))._repr_html_()
    assert set(re.findall(r"(?<![-\w])(?:color|background(?:-color)?):([^;\"]+)", html)) <= {
        "none",
        "inherit",
    }
