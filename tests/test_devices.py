"""A device without float64, such as Apple's MPS: the same tokens and vectors, made on the CPU."""

import pytest
import torch

from helpers.devices import DEVICE, WithoutFloat64
from helpers.pictures import noise
from spitgraph import (
    InterpolationExtractor,
    PatchTokenizer,
    SuperpixelTokenizer,
    VoronoiTokenizer,
    from_masks,
    from_partition,
    kernels,
)
from spitgraph.datasets import ColourStatistics, NearestCentroids
from spitgraph.labels import with_boxes, with_instances, with_pixel_labels
from spitgraph.modes import exact_device
from spitgraph.transforms import ContractSuperpixels, ToGridGraph


@pytest.fixture
def no_float64():
    """Such a device, for as long as the test takes."""
    with WithoutFloat64():
        yield


def assert_same_there(there, here):
    """Every attribute is on the device, and the same bits as on the CPU."""
    assert there.keys() == here.keys()
    for key, value in there.to_dict().items():
        assert value.device.type == DEVICE.type, key
        assert torch.equal(value.cpu(), here[key]), key


def seeded_voronoi():
    return VoronoiTokenizer(9, generator=torch.Generator().manual_seed(3))


def test_the_device_is_one_without_float64(no_float64):
    tensor = torch.ones(3, device=DEVICE)
    assert tensor.device.type == (tensor * 2).device.type == DEVICE.type
    with pytest.raises(TypeError, match="no float64"):
        tensor.double()
    with pytest.raises(RuntimeError, match="two devices"):
        tensor + torch.ones(3)
    assert exact_device(DEVICE) == torch.device("cpu")
    for device in map(torch.device, ("cpu", "cuda:1", "meta")):
        assert exact_device(device) == device


@pytest.mark.parametrize("plainly", [False, True], ids=["fused", "plain"])
@pytest.mark.parametrize(
    "tokenizer",
    [
        lambda: SuperpixelTokenizer(2),
        lambda: SuperpixelTokenizer(num_tokens=5, features="spit", similarity="cosine"),
        lambda: SuperpixelTokenizer(2, similarity="cosine", compactness=0.2),
        lambda: SuperpixelTokenizer(2, features=lambda image: image * 0.5),
        lambda: PatchTokenizer(5),
        seeded_voronoi,
    ],
)
def test_tokens_and_vectors_are_the_same(no_float64, tokenizer, plainly):
    images, extract = [noise(9, 14, 1), noise(12, 7, 2)], InterpolationExtractor(4)
    if plainly:
        with kernels.plain():
            here = extract(tokenizer()(images))
            there = extract(tokenizer()([image.to(DEVICE) for image in images]))
    else:
        here = extract(tokenizer()(images))
        there = extract(tokenizer()([image.to(DEVICE) for image in images]))
    assert_same_there(there, here)
    assert_same_there(there.to_level(1), here.to_level(1))


def test_features_of_ones_own_are_asked_for_on_the_device(no_float64):
    seen = []
    tokenize = SuperpixelTokenizer(1, features=lambda image: seen.append(image.device) or image)
    tokenize(noise(4, 5).to(DEVICE))
    assert [device.type for device in seen] == [DEVICE.type]


def test_label_maps_are_described_the_same(no_float64):
    labels = torch.arange(54).view(6, 9) // 7
    here = from_partition(noise(6, 9), labels)
    assert_same_there(from_partition(noise(6, 9).to(DEVICE), labels.to(DEVICE)), here)


@pytest.mark.parametrize("features", ["lab", None])
def test_pixel_graphs_are_contracted_the_same(no_float64, features):
    grid = ToGridGraph()(noise(6, 9))
    grid.edge_index = grid.edge_index[:, grid.edge_index.sum(0) % 5 != 0]  # not the grid's own
    contract = ContractSuperpixels(2, features=features)
    here = contract(grid)
    assert_same_there(contract(grid.clone().to(DEVICE)), here)


def test_derivatives_reach_pixels_there(no_float64):
    def gradient(image):
        image = image.requires_grad_()
        InterpolationExtractor(3)(SuperpixelTokenizer(2)(image)).x.square().sum().backward()
        return image.grad

    there = gradient(noise(5, 6).to(DEVICE))
    assert there.device.type == DEVICE.type
    assert torch.equal(there.cpu(), gradient(noise(5, 6)))


def test_cuts_are_the_same(no_float64):
    tree = SuperpixelTokenizer(3)(noise(9, 9)).tree
    scores = [torch.arange(n).float() % 7 for n in (tree.num_regions(t)[0] for t in range(4))]
    there = tree.to(DEVICE).cut([score.to(DEVICE) for score in scores])
    assert torch.equal(there.cpu(), tree.cut(scores))


def begun(image, label):
    tokenizer = SuperpixelTokenizer(num_tokens=5, compactness=0.2)
    pairs = [[[0, 0], [9, 9]]]
    return tokenizer(image, partition=label, must_link=pairs, cannot_link=[[[0, 0], [0, 9]]])


def weighed(image, label):
    return SuperpixelTokenizer(2, similarity=lambda u, v, *sizes: -(u - v).abs().sum(1))(image)


def masked(image, label):
    return from_masks(image, [label < 9, label > 30], min_size=3, num_tokens=6)


def labelled(image, label):
    tokens = with_pixel_labels(PatchTokenizer(5)(image), label)
    tokens = with_boxes(with_instances(tokens, label % 3), [[0, 0, 4, 9]], classes=[1])
    return NearestCentroids(2)(ColourStatistics()(tokens))


@pytest.mark.parametrize("make", [begun, weighed, masked, labelled])
def test_partitions_masks_and_labels_there(no_float64, make):
    image, label = noise(10, 12), torch.arange(120).view(10, 12) // 3
    assert_same_there(make(image.to(DEVICE), label), make(image, label))
