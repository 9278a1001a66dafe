"""Regions are measured as a loop over pixels measures them."""

from collections import Counter

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

import spitgraph.regions
from spitgraph.grid import flatten_pixels
from spitgraph.regions import describe_regions, shared_borders


def renumbered(labels):
    return torch.unique(labels, return_inverse=True)[1]


def noise(height, width):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(1))


def border_lengths(seg):
    """Pixel sides between each ordered pair of different regions, by looking at every pixel."""
    height, width = seg.shape
    sides = Counter()
    for y in range(height):
        for x in range(width):
            for v, u in ((y, x + 1), (y + 1, x), (y, x - 1), (y - 1, x)):
                if 0 <= v < height and 0 <= u < width and seg[y, x] != seg[v, u]:
                    sides[int(seg[y, x]), int(seg[v, u])] += 1
    return sides


@given(data=st.data(), at_a_time=st.sampled_from([1, 5, 2**16]))
def test_regions_equal_a_loop_over_pixels(extensions, label_maps, monkeypatch, data, at_a_time):
    monkeypatch.setattr(spitgraph.regions, "PIXELS_AT_A_TIME", at_a_time)
    seg = renumbered(data.draw(label_maps))
    height, width = seg.shape
    image = noise(height, width)
    n = int(seg.max()) + 1
    regions = describe_regions(seg.flatten(), n, flatten_pixels(image), height, width)
    for region in range(n):
        ys, xs = (seg == region).nonzero(as_tuple=True)
        assert regions.size[region] == len(ys)
        box = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        assert regions.bbox[region].tolist() == [int(side) for side in box]
        centroid = torch.stack([xs.double().mean(), ys.double().mean()]).float()
        assert torch.equal(regions.pos[region], centroid)
        colour = image[:, ys, xs].double().mean(1)
        torch.testing.assert_close(regions.color[region].double(), colour, rtol=0, atol=2**-23)
    sides = border_lengths(seg)
    assert list(zip(*regions.edge_index.tolist(), strict=True)) == sorted(sides)
    assert regions.edge_attr.flatten().tolist() == [sides[pair] for pair in sorted(sides)]


def test_types_and_shapes():
    seg = torch.tensor([[0, 0, 1], [2, 2, 1]])
    regions = describe_regions(seg.flatten(), 3, flatten_pixels(noise(2, 3)), 2, 3)
    shapes = {name: (value.dtype, tuple(value.shape)) for name, value in vars(regions).items()}
    assert shapes == {
        "size": (torch.int64, (3,)),
        "bbox": (torch.int64, (3, 4)),
        "pos": (torch.float32, (3, 2)),
        "color": (torch.float32, (3, 3)),
        "edge_index": (torch.int64, (2, 6)),
        "edge_attr": (torch.float32, (6, 1)),
    }
    assert all(value.is_contiguous() for value in vars(regions).values())


def test_borders_by_hand():
    #  0 0 1
    #  2 2 1     0–1: one side, 0–2: two, 1–2: one
    edge_index, edge_attr = shared_borders(torch.tensor([[0, 0, 1], [2, 2, 1]]), 3)
    assert edge_index.tolist() == [[0, 0, 1, 1, 2, 2], [1, 2, 0, 2, 0, 1]]
    assert edge_attr.tolist() == [[1], [2], [1], [1], [2], [1]]


def test_corners_do_not_touch():
    edge_index, _ = shared_borders(torch.tensor([[0, 1], [2, 0]]), 3)
    assert [1, 2] not in edge_index.t().tolist()


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (4, 5)])
def test_one_region_has_no_border(shape):
    edge_index, edge_attr = shared_borders(torch.zeros(shape, dtype=torch.int64), 1)
    assert edge_index.shape == (2, 0) and edge_attr.shape == (0, 1)
    assert edge_index.dtype == torch.int64 and edge_attr.dtype == torch.float32


def test_boxes_do_not_start_at_the_image_border():
    cluster = torch.tensor([0, 0, 0, 0, 1, 1, 0, 1, 0])
    regions = describe_regions(cluster, 2, torch.rand(9, 3), 3, 3)
    assert regions.bbox.tolist() == [[0, 0, 3, 3], [1, 1, 3, 3]]


def test_mean_colour_does_not_depend_on_the_order_of_pixels():
    # float sums of these would: 2**-20 vanishes beside a large sum and counts in a small one
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(4096, 3, generator=generator)
    pixels[::2] *= 2**-20
    cluster = torch.zeros(4096, dtype=torch.int64)
    colours = {
        tuple(describe_regions(cluster, 1, pixels[order], 64, 64).color[0].tolist())
        for order in (torch.arange(4096), torch.arange(4095, -1, -1), torch.randperm(4096))
    }
    assert len(colours) == 1


def test_a_flat_region_has_its_own_colour():
    # between two steps, as no 8-bit colour is
    pixels = (torch.tensor([1000.75, 2000.25, 3000.0]) / 2**24).expand(97, 3).contiguous()
    regions = describe_regions(torch.zeros(97, dtype=torch.int64), 1, pixels, 1, 97)
    torch.testing.assert_close(regions.color, pixels[:1], rtol=0, atol=2**-25)
