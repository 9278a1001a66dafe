"""Regions are measured as a loop over pixels measures them."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from helpers.labels import renumbered
from helpers.pictures import noise, seeded
from spitgraph import kernels
from spitgraph.regions import (
    Regions,
    describe,
    describe_image,
    describe_regions,
    naive,
    shared_borders,
)


@given(data=st.data(), at_a_time=st.sampled_from([1, 5, 2**16]))
def test_regions_equal_a_loop_over_pixels(extensions, label_maps, monkeypatch, data, at_a_time):
    monkeypatch.setattr(describe, "PIXELS_AT_A_TIME", at_a_time)
    seg = renumbered(data.draw(label_maps))
    image = noise(*seg.shape)
    expected = naive.describe_regions(image.double().tolist(), seg.tolist())
    regions = describe_image(image, seg.flatten(), len(expected))
    assert regions.size.tolist() == [region.size for region in expected]
    assert regions.bbox.tolist() == [list(region.box) for region in expected]
    assert torch.equal(regions.pos, torch.tensor([region.centroid for region in expected]))
    assert torch.equal(regions.color, torch.tensor([region.colour for region in expected]))
    borders = [
        (u, v, length)
        for u, region in enumerate(expected)
        for v, length in sorted(region.borders.items())
    ]
    edges = [*regions.edge_index.tolist(), regions.edge_attr.flatten().tolist()]
    assert list(zip(*edges, strict=True)) == borders


def test_mean_colours_are_those_of_the_pixels():
    seg = renumbered(torch.arange(60).view(6, 10) % 7)
    image = noise(6, 10)
    colour = describe_image(image, seg.flatten(), 7).color
    expected = torch.stack([image[:, seg == region].double().mean(1) for region in range(7)])
    torch.testing.assert_close(colour.double(), expected, rtol=0, atol=2**-23)


def test_types_and_shapes():
    seg = torch.tensor([[0, 0, 1], [2, 2, 1]])
    regions = describe_image(noise(2, 3), seg.flatten(), 3)
    shapes = {name: (value.dtype, tuple(value.shape)) for name, value in regions._asdict().items()}
    assert shapes == {
        "pixels": (torch.float32, (6, 3)),
        "size": (torch.int64, (3,)),
        "bbox": (torch.int64, (3, 4)),
        "pos": (torch.float32, (3, 2)),
        "color": (torch.float32, (3, 3)),
        "edge_index": (torch.int64, (2, 6)),
        "edge_attr": (torch.float32, (6, 1)),
        "num_edges": (torch.int64, (1,)),
    }
    assert all(value.is_contiguous() for value in regions)


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
    regions = describe_image(noise(3, 3), cluster, 2)
    assert regions.bbox.tolist() == [[0, 0, 3, 3], [1, 1, 3, 3]]


def test_mean_colour_does_not_depend_on_the_order_of_pixels():
    # float sums of these would: 2**-20 vanishes beside a large sum and counts in a small one
    generator = seeded(0)
    image = torch.rand(3, 4096, generator=generator)
    image[:, ::2] *= 2**-20
    cluster = torch.zeros(4096, dtype=torch.int64)
    colours = {
        tuple(describe_image(image[:, order].view(3, 64, 64), cluster, 1).color[0].tolist())
        for order in (torch.arange(4096), torch.arange(4095, -1, -1), torch.randperm(4096))
    }
    assert len(colours) == 1


def test_a_flat_region_has_its_own_colour():
    # between two steps, as no 8-bit colour is
    colour = torch.tensor([1000.75, 2000.25, 3000.0]) / 2**24
    image = colour[:, None, None].expand(3, 1, 97)
    regions = describe_image(image, torch.zeros(97, dtype=torch.int64), 1)
    torch.testing.assert_close(regions.color[0], colour, rtol=0, atol=2**-25)


@given(data=st.data(), layout=st.sampled_from(["bytes", "floats", "as files", "strided"]))
def test_every_body_gives_the_same_bits(label_maps, data, layout):
    images, clusters, counts = [], [], []
    for seed in range(data.draw(st.integers(1, 4))):
        seg = renumbered(data.draw(label_maps))
        image = noise(*seg.shape, seed)
        if layout == "bytes":
            image = (image * 255).to(torch.uint8)
        elif layout == "as files":
            image = image.permute(1, 2, 0).contiguous().permute(2, 0, 1)
        elif layout == "strided":
            image = image.repeat_interleave(2, dim=2)[:, :, ::2]
        images.append(image)
        clusters.append(seg.flatten() + sum(counts))
        counts.append(int(seg.max()) + 1)
    cluster = torch.cat(clusters)
    with kernels.plain():
        plain = describe_regions(images, cluster, counts)
    for name, one, other in zip(
        Regions._fields, describe_regions(images, cluster, counts), plain, strict=True
    ):
        assert one.dtype == other.dtype and torch.equal(one, other), name


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_large_images_are_measured_by_all_threads(num_threads, monkeypatch, threads):
    pytest.importorskip("numba")
    from spitgraph.regions.cpu import batch

    num_threads(threads)
    monkeypatch.setattr(batch, "LARGE", 1)
    monkeypatch.setattr(batch, "LARGE_OF_FEW", 1)
    cluster = renumbered(torch.arange(35) % 4)
    with kernels.plain():
        plain = describe_regions([noise(5, 7)], cluster, [4])
    for one, other in zip(describe_regions([noise(5, 7)], cluster, [4]), plain, strict=True):
        assert torch.equal(one, other)
