"""What is written: one file that holds everything, no larger than need be; what is refused."""

import base64
import json
import re
import zlib
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.pictures import mixed, noise, random_bytes
from spitgraph import (
    InterpolationExtractor,
    PatchTokenizer,
    SuperpixelTokenizer,
    inspection,
)
from spitgraph.inspection.page import page_of
from spitgraph.inspection.page.labels import by_first
from spitgraph.inspection.page.payload import MOST_REGIONS, finest_level, levels_within
from spitgraph.inspection.page.picture import embedded
from spitgraph.inspection.page.vectors import patches


@pytest.fixture(scope="module")
def tokens():
    return SuperpixelTokenizer(2)(mixed())


def about(page):
    found = re.search(r'<script type="application/json" id="about">(.*?)</script>', page, re.S)
    return json.loads(found[1])


def pieces(page):
    found = re.findall(r'<script type="text/plain" class="piece">(.*?)</script>', page)
    return [zlib.decompress(base64.b64decode(piece)) for piece in found]


def picture_in(page):
    kind, content = re.search(r'src="data:(image/\w+);base64,([^"]*)"', page).groups()
    return kind, base64.b64decode(content)


# ---- the file ------------------------------------------------------------------------------------


def test_the_same_tokens_make_the_same_file(tokens, tmp_path):
    for name in "ab":
        inspection.write_page(tokens, tmp_path / name, title="t")
    first, second = ((tmp_path / name).read_bytes() for name in "ab")
    assert first == second and first.startswith(b"<!doctype html>")
    assert page_of(tokens, title="t").encode() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_page_that_cannot_be_made_leaves_what_was_there(tokens, tmp_path):
    place = tmp_path / "page.html"
    place.write_text("before")
    with pytest.raises(ValueError, match="expected 1 names"):
        inspection.write_page(tokens, place, names=["a", "b"])
    assert place.read_text() == "before"
    with pytest.raises(OSError, match="nowhere"):
        inspection.write_page(tokens, tmp_path / "nowhere" / "page.html")


def test_nothing_is_fetched(tokens):
    page = page_of(tokens)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; img-src data:; script-src 'sha256-")
    assert "unsafe" not in policy and "http" not in policy
    assert not re.findall(r"(?:src|href)=[\"']?(?!data:)[^\"' >]+", page)
    assert "http://" not in page and "https://" not in page


def test_sections_are_as_long_as_they_say(tokens):
    page = page_of(tokens, masks={"m": torch.ones(24, 31, dtype=torch.bool)})
    told = about(page)
    sizes = [sum(size for _, size in part["sections"]) for part in (*told["views"], told["masks"])]
    assert sizes == [len(piece) for piece in pieces(page)]


def test_numbering_by_first_occurrence():
    rank, first, names = by_first(np.array([2, 2, 0, 1, 0]))
    assert rank.tolist() == [0, 0, 1, 2, 1] and first.tolist() == [1, 0, 1, 1, 0]
    assert names.tolist() == [2, 0, 1]
    assert by_first(np.array([0, 0, 1, 2, 1]))[2] is None


def test_levels_of_too_many_regions_are_left_out():
    tokens = SuperpixelTokenizer(2)(noise(4, 5))
    assert finest_level(tokens.tree) == 1
    counts = torch.tensor([9 * MOST_REGIONS, 3 * MOST_REGIONS, MOST_REGIONS, 7])
    tree = tokens.tree._replace(counts=counts, num_levels=torch.tensor([3]))
    assert finest_level(tree) == 2
    assert finest_level(tokens.to_level(0).tree) == 0
    patches = PatchTokenizer(2)(noise(4, 5))
    assert [level["level"] for level in about(page_of(patches))["views"][0]["levels"]] == [1]


def test_the_finest_levels_are_left_out_where_room_is_scarce(tokens):
    _, levels, taken = levels_within(tokens, 10**6)
    assert [level["level"] for level in levels] == [1, 2] and 0 < taken <= 10**6
    _, levels, less = levels_within(tokens, taken - 1)
    assert [level["level"] for level in levels] == [2] and less < taken
    assert levels_within(tokens, 0)[1] == levels  # the tokens themselves always are there


@pytest.mark.parametrize("side", [40, 300])
def test_pages_take_no_more_bytes_than_is_said(side, tmp_path):
    """Also of noise, whose borders, colours and vectors cost the most."""
    path = tmp_path / "a.jpg"
    Image.fromarray(random_bytes(side, side, 3)).save(path)
    for num_tokens in (side, 10 * side):
        page = page_of(SuperpixelTokenizer(num_tokens=num_tokens)(path), image=path)
        assert len(page.encode()) <= 3 * path.stat().st_size + 300_000


# ---- the picture ---------------------------------------------------------------------------------


def file_of(image, format, **options):
    place = BytesIO()
    image.save(place, format, **options)
    return place.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_file_that_browsers_show_is_taken_as_it_is(tmp_path, format):
    path = tmp_path / "a"
    path.write_bytes(file_of(Image.fromarray(random_bytes(20, 30, 3)), format))
    page = page_of(SuperpixelTokenizer()(path), image=path)
    assert picture_in(page) == (f"image/{format.lower()}", path.read_bytes())
    assert about(page)["title"] == "a"


def turned(image, number):
    exif = image.getexif()
    exif[274] = number
    return {"exif": exif}


@pytest.mark.parametrize("case", ["turned", "alpha", "16 bits", "bmp", "other pixels", "broken"])
def test_other_files_are_written_anew(tmp_path, case):
    image, path = Image.fromarray(random_bytes(20, 30, 3)), tmp_path / "a"
    path.write_bytes(
        {
            "turned": lambda: file_of(image, "JPEG", **turned(image, 6)),
            "alpha": lambda: file_of(Image.fromarray(random_bytes(20, 30, 4)), "PNG"),
            "16 bits": lambda: file_of(
                Image.fromarray(random_bytes(20, 30).astype(np.uint16) * 257), "PNG"
            ),
            "bmp": lambda: file_of(image, "BMP"),
            "other pixels": lambda: file_of(image, "PNG"),
            "broken": lambda: file_of(image, "PNG"),
        }[case]()
    )
    tokens = SuperpixelTokenizer()(path)
    if case == "other pixels":
        tokens = SuperpixelTokenizer()(noise(20, 30))
    if case == "broken":
        path.write_bytes(path.read_bytes()[:300])
    kind, content = picture_in(page_of(tokens, image=path))
    assert kind == "image/png" and content != path.read_bytes()
    shown = np.asarray(Image.open(BytesIO(content)))
    height, width = tokens.seg.shape[1:]
    expected = (tokens.pixels.view(height, width, 3) * 255).round().byte().numpy()
    assert np.array_equal(shown, expected)


def test_large_pictures_are_written_as_jpeg():
    picture = embedded(random_bytes(300, 300, 3))
    assert picture.kind == "image/jpeg" and Image.open(BytesIO(picture.content)).size == (300, 300)


def test_tokens_without_pixels(tokens, tmp_path):
    bare = tokens.without_pixels()
    page = page_of(bare)
    assert about(page)["photograph"] is False and about(page)["views"][0]["vectors"] is None
    mosaic = np.asarray(Image.open(BytesIO(picture_in(page)[1])))
    expected = (inspection.mean_colors(tokens) * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(mosaic, expected)
    path = tmp_path / "a.png"
    inspection.to_pil(mixed()).save(path)
    assert picture_in(page_of(bare, image=path))[1] == path.read_bytes()
    inspection.to_pil(noise(5, 5)).save(path)
    with pytest.raises(ValueError, match=r"of the tokens' size \[24, 31\], got \[5, 5\]"):
        page_of(bare, image=path)


# ---- vectors -------------------------------------------------------------------------------------


def test_vectors_are_within_half_a_step(tokens):
    x = InterpolationExtractor(bins=8)(tokens).x
    made = patches(x, 10**6)
    assert (made.bins, made.features) == (8, ["colour", "position", "gradient"])
    steps = np.frombuffer(made.content, np.uint8).reshape(len(x), 5, 8, 8)
    lattices = inspection.unpack_vectors(x)
    for place, name in enumerate(("red", "green", "blue")):
        value = made.low + torch.tensor(steps[:, place] / 31) * (made.high - made.low)
        assert (value - lattices[name]).abs().max() <= (made.high - made.low) / 62 + 1e-6
    for place, name in [(3, "position"), (4, "gradient")]:
        share = lattices[name] / lattices[name].amax((1, 2), keepdim=True)
        assert (torch.tensor(steps[:, place] / 31) - share).abs().max() <= 1 / 62 + 1e-6


def test_vectors_get_fewer_bins_where_room_is_scarce(tokens):
    x, room, bins = InterpolationExtractor(bins=16)(tokens).x, 10**6, []
    while made := patches(x, room):
        bins.append(made.bins)
        room = len(zlib.compress(made.content, 6)) - 1
    assert bins == [16, 8, 4]


def test_own_vectors_and_others(tokens):
    own = InterpolationExtractor(bins=6, gradient=False)(tokens)
    assert about(page_of(own))["views"][0]["vectors"]["features"] == ["colour", "position"]
    given = page_of(own, extractor=InterpolationExtractor(bins=4))
    assert about(given)["views"][0]["vectors"]["bins"] == 4
    own.x = torch.rand(own.num_nodes, 7)  # somebody else's
    assert about(page_of(own))["views"][0]["vectors"]["bins"] == 16
    assert about(page_of(own, vectors=False))["views"][0]["vectors"] is None


# ---- scores, masks, what is refused --------------------------------------------------------------


def test_scores_of_pixels_are_averaged(tokens):
    heat = torch.rand(24, 31)
    told = about(page_of(tokens, attributions={"heat": heat}))["views"][0]["scores"]
    expected = tokens.tree.pool(heat.flatten(), tokens.tree.depth)
    assert told[0]["name"] == "heat" and told[0]["low"] == pytest.approx(float(expected.min()))
    assert told[0]["high"] == pytest.approx(float(expected.max()))
    both = about(page_of([tokens, PatchTokenizer(8)(mixed())], attributions={"heat": heat}))
    assert [len(view["scores"]) for view in both["views"]] == [1, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": ["a", "b"]}, "expected 1 names, one a partition, got 2"),
        (
            {"attributions": {"a": torch.rand(3)}},
            r"attributions\['a'\] must be \[\d+\] or \[24, 31",
        ),
        ({"attributions": {"a": torch.full((24, 31), torch.nan)}}, "must be finite"),
        ({"masks": {"m": torch.ones(24, 31)}}, r"must be \[24, 31\] of booleans, got .* float32"),
        ({"masks": {"m": torch.ones(2, 3, dtype=torch.bool)}}, r"booleans, got \[2, 3\] of bool"),
    ],
)
def test_what_does_not_fit_is_refused(tokens, options, message):
    with pytest.raises(ValueError, match=message):
        page_of(tokens, **options)


def test_other_things_are_refused(tokens, unchecked):
    for options, message in [
        ({"names": "tokens"}, "names must be a list of strings"),
        ({"title": 3}, "must be strings, got 3"),
        ({"attributions": {"a": [1.0]}}, "must be an Attribution or floats"),
        ({"attributions": [torch.rand(3)]}, "attributions must be scores by name"),
        ({"vectors": 1}, "vectors must be True or False"),
    ]:
        with pytest.raises(TypeError, match=message):
            page_of(tokens, **options)
    with pytest.raises(TypeError, match="expected the TokenData of one image, got Tensor"):
        page_of(tokens.pos)
    with pytest.raises(ValueError, match=r"sizes \[24, 31\] and \[5, 5\]"):
        page_of([tokens, SuperpixelTokenizer()(noise(5, 5))])
    with pytest.raises(ValueError, match="expected 1 … 4 partitions of an image, got 5"):
        page_of([tokens] * 5)
    with pytest.raises(ValueError, match="this is a batch of 2"):
        page_of(SuperpixelTokenizer()([noise(5, 5)] * 2))
    with pytest.raises(ValueError, match=r"attributions\['a'\]: of 2 partitions, give scores of"):
        page_of([tokens] * 2, attributions={"a": torch.rand(tokens.num_nodes)})
