"""Regions drawn into the image: lines beside borders, everything else as it was."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spitgraph import PatchTokenizer, SuperpixelTokenizer, from_partition
from spitgraph.images import load_image
from spitgraph.inspection import mean_colors, overlay, to_pil

HALVES = torch.tensor([[0, 0, 1, 1]] * 3)


def grey_halves(value):
    return from_partition(torch.full((3, 3, 4), value), HALVES)


def beside_border(seg):
    """Pixels with a 4-neighbour in another region."""
    padded = torch.nn.functional.pad(seg[None].double(), (1, 1, 1, 1), mode="replicate")[0]
    height, width = seg.shape
    shifts = [(0, 1), (2, 1), (1, 0), (1, 2)]
    neighbours = torch.stack([padded[y : y + height, x : x + width] for y, x in shifts])
    return (neighbours != seg).any(dim=0)


@given(st.data(), st.integers(1, 3))
def test_only_pixels_beside_a_border_change(label_maps, data, scale):
    labels = data.draw(label_maps)
    image = 0.2 + 0.5 * torch.rand(3, *labels.shape, generator=torch.Generator().manual_seed(0))
    picture = overlay(from_partition(image, labels), scale=scale)
    large = image.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    seg = labels.repeat_interleave(scale, 0).repeat_interleave(scale, 1)
    assert torch.equal((picture != large).any(dim=0), beside_border(seg))
    assert picture.dtype == torch.float32
    assert picture.min() >= 0 and picture.max() <= 1


def test_a_border_is_one_line_of_the_colour_and_its_shadow():
    picture = overlay(grey_halves(0.5), color=(0.0, 1.0, 0.0))
    red, green, blue = picture[:, 1]
    assert torch.equal(picture, picture[:, :1].expand(-1, 3, -1))
    assert green[1] > 0.8 and red[1] < 0.2 and torch.equal(red, blue)
    assert red[2] == green[2] == blue[2] < 0.4
    assert torch.equal(picture[:, :, [0, 3]], torch.full((3, 3, 2), 0.5))


def test_shadows_never_fall_on_lines():
    stripes = from_partition(torch.full((3, 2, 3), 0.5), torch.tensor([[0, 1, 2]] * 2))
    first, second, third = overlay(stripes)[:, 0].t()
    assert torch.equal(first, second) and not torch.equal(second, third)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_lines_show_on_dark_and_on_bright_pictures(value):
    picture = overlay(grey_halves(value)).mean(dim=0)
    assert picture.max() - picture.min() > 0.3


def test_lines_stay_one_pixel_wide_when_the_image_grows():
    picture = overlay(grey_halves(0.5), scale=4)
    assert picture.shape == (3, 12, 16)
    changed = (picture != 0.5).any(dim=0)
    assert changed.nonzero()[:, 1].unique().tolist() == [7, 8]


def test_one_region_has_no_border(awkward_image):
    labels = torch.zeros(awkward_image.shape[1:], dtype=torch.int64)
    assert torch.equal(overlay(from_partition(awkward_image, labels)), awkward_image)


def test_what_cannot_be_drawn_is_refused(unchecked):
    tokens = grey_halves(0.5)
    with pytest.raises(ValueError, match="without_pixels"):
        overlay(tokens.without_pixels())
    with pytest.raises(ValueError, match="batch of 2"):
        overlay(PatchTokenizer(2)(torch.rand(2, 3, 4, 4)))
    with pytest.raises(ValueError, match=r"color .* got \(255, 0, 0\)"):
        overlay(tokens, color=(255, 0, 0))
    with pytest.raises(ValueError, match="scale must be at least 1, got 0"):
        overlay(tokens, scale=0)
    with pytest.raises(TypeError, match="scale must be an integer, got 1.5"):
        overlay(tokens, scale=1.5)


def test_mean_colours_paint_each_region():
    tokens = from_partition(torch.tensor([0.0, 1.0, 0.5, 1.0]).expand(3, 3, 4), HALVES)
    expected = torch.tensor([0.5, 0.5, 0.75, 0.75]).expand(3, 3, 4)
    assert torch.equal(mean_colors(tokens), expected)
    assert torch.equal(mean_colors(tokens.without_pixels()), expected)


def test_mean_colours_of_pixels_are_the_image(awkward_image):
    pixels = SuperpixelTokenizer(1)(awkward_image).to_level(0)
    torch.testing.assert_close(mean_colors(pixels), awkward_image, atol=2**-24, rtol=0)


def test_pictures_survive_as_pil_images(awkward_image):
    eight_bits = (awkward_image * 255).round() / 255
    assert torch.equal(load_image(to_pil(eight_bits)), eight_bits)
