"""Fine superpixels: what holds of them, whatever the picture."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.labels import components
from helpers.pictures import AWKWARD, mixed, noise, rgb
from helpers.strategies import small_images
from spitgraph import SuperpixelTokenizer, create_model, from_partition, kernels, metrics, refine
from spitgraph.grid import pixel_edges
from spitgraph.inspection import count_parts
from spitgraph.transforms import ContractSuperpixels, ToGridGraph


def fine(num_tokens, **options):
    return SuperpixelTokenizer(num_tokens=num_tokens, quality="fine", **options)


def check_hierarchy(tokens):
    """Nested, and connected at every level."""
    height, width = tokens.image_size[0].tolist()
    u, v = pixel_edges(height, width)
    for level in range(len(tokens.parents) + 1):
        region = tokens.partition(level)
        inside = region[u] == region[v]
        count, _ = components(height * width, u[inside], v[inside])
        assert count == int(region.max()) + 1 == len(region.unique())
    sizes = [len(parent) for parent in tokens.parents] + [tokens.num_nodes]
    assert sizes == sorted(set(sizes), reverse=True)  # each level has fewer regions


@pytest.mark.parametrize("name", AWKWARD)
def test_every_count_of_awkward_pictures(name):
    image = AWKWARD[name]
    area = image[0].numel()
    for count in {1, min(2, area), area // 7, area // 3, area // 2, area - 1, area} - {0}:
        tokens = fine(count)(image)
        assert tokens.num_nodes == count
        check_hierarchy(tokens)


@given(small_images(), st.data())
def test_exact_connected_nested_and_plain(assert_same, image, data):
    count = data.draw(st.integers(1, image[0].numel()))
    tokens = fine(count)(image)
    assert tokens.num_nodes == count
    check_hierarchy(tokens)
    with kernels.plain():
        assert_same(fine(count)(image), tokens)


def test_neither_batch_nor_threads_matter(num_threads, assert_same):
    images = [noise(20, 30), mixed(), noise(33, 17, seed=1)]
    num_threads(3)
    batch = fine(9)(images)
    num_threads(1)
    for index, image in enumerate(images):
        assert_same(fine(9)(image), batch[index])


def test_follows_borders_more_closely():
    """Than the fast rule, on a disc in noise."""
    y, x = torch.meshgrid(torch.arange(60), torch.arange(80), indexing="ij")
    disc = ((y - 30) ** 2 + (x - 40) ** 2 < 20**2).long()
    image = (0.35 + 0.25 * disc + 0.25 * (noise(60, 80) - 0.5)).clamp(0, 1)
    errors = [
        metrics.undersegmentation_error(tokenizer(image).seg[0], disc)
        for tokenizer in (fine(12), SuperpixelTokenizer(num_tokens=12))
    ]
    assert errors[0] < 0.5 * errors[1]


def test_features_of_ones_own():
    image = noise(14, 15)
    with kernels.plain():
        expected = fine(10, features=rgb)(image)
    assert torch.equal(fine(10, features=rgb)(image).cluster, expected.cluster)
    for by in (kernels.plain, torch.no_grad):
        with by(), pytest.raises(ValueError, match="features within ±16, got one of 17"):
            fine(3, features=lambda im: 17 * torch.ones_like(im))(image)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give num_tokens"),
        ({"num_tokens": 5, "compactness": 0.1}, "takes no compactness, got 0.1"),
        ({"num_tokens": 5, "similarity": "ward"}, "takes no similarity, got 'ward'"),
    ],
)
def test_what_does_not_go_with_it(options, message):
    with pytest.raises(ValueError, match=message):
        SuperpixelTokenizer(quality="fine", **options)
    with pytest.raises(ValueError, match="quality must be one of 'fast', 'fine', got 'finest'"):
        SuperpixelTokenizer(quality="finest")


def test_as_a_transform():
    image = noise(12, 16)
    tokens = fine(8)(image)
    contract = ContractSuperpixels(num_tokens=8, quality="fine")
    graph = ToGridGraph()(image)
    assert torch.equal(contract(graph).cluster, tokens.cluster)
    graph.edge_index = graph.edge_index[:, (graph.edge_index > 0).all(0)]
    with pytest.raises(ValueError, match="takes the whole grid"):
        contract(graph)


def test_in_a_model():
    model = create_model(
        "spit_tiny_16", depth=1, bins=4, num_tokens=6, quality="fine", gradient=False
    )
    assert model.tokenize(noise(20, 20)).num_nodes == 6
    assert model.tokenizer.quality == "fine"


# ---- refinement alone ----------------------------------------------------------------------------


def blocks(height, width, side):
    y, x = torch.arange(height)[:, None] // side, torch.arange(width) // side
    return y * (-(-width // side)) + x


def test_refine_moves_borders_to_where_the_picture_has_them():
    truth = blocks(24, 24, 12)
    image = torch.stack([truth % 2 * 0.8, truth // 2 * 0.8, torch.zeros(24, 24)])
    later = torch.arange(24) >= 10  # the same squares, two pixels too far up and left
    off = 2 * later[:, None] + later.long()
    tokens = refine(image, off)
    assert torch.equal(tokens.seg[0], truth)
    assert torch.equal(from_partition(image, truth).color, tokens.color)


@given(small_images(), st.integers(1, 5))
def test_refine_keeps_regions_whole(image, side):
    labels = blocks(*image.shape[1:], side)
    tokens = refine(image, labels, passes=3)
    assert tokens.num_nodes == int(labels.max()) + 1
    assert (count_parts(tokens) == 1).all()
    with kernels.plain():
        assert torch.equal(refine(image, labels, passes=3).cluster, tokens.cluster)


def test_refine_batches():
    images = [noise(10, 12), noise(9, 9)]
    labels = [blocks(10, 12, 4), blocks(9, 9, 3)]
    batch = refine(images, labels)
    for index in range(2):
        assert torch.equal(batch[index].cluster, refine(images[index], labels[index]).cluster)


def test_refine_refuses_scattered_regions():
    with pytest.raises(ValueError, match="label map must have connected regions: its 2 are 4 piec"):
        refine(noise(2, 2), torch.tensor([[0, 1], [1, 0]]))
    with pytest.raises(ValueError, match="passes must be at least 1, got 0"):
        refine(noise(2, 2), torch.zeros(2, 2, dtype=torch.int64), passes=0)
