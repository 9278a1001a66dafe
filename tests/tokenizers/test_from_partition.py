"""Label maps made elsewhere become tokens as they are, renumbered in ascending order."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from torch_geometric.data import Batch

from helpers.pictures import noise, seeded
from spitgraph import SuperpixelTokenizer, from_partition


@given(data=st.data(), names=st.permutations([-(2**63), -5, 0, 3, 2**40, 2**63 - 1]))
def test_labels_are_renumbered_in_ascending_order(label_maps, data, names):
    labels = torch.tensor(names)[data.draw(label_maps)]
    tokens = from_partition(noise(*labels.shape), labels)
    used = sorted(set(labels.flatten().tolist()))
    assert tokens.seg[0].tolist() == [[used.index(name) for name in row] for row in labels.tolist()]
    assert tokens.num_nodes == len(used)
    assert len(tokens.parents) == 1 and torch.equal(tokens.parents[0], tokens.cluster)


def test_labels_need_not_be_connected():
    tokens = from_partition(noise(1, 5), torch.tensor([[7, 2, 7, 2, 2]]))
    assert tokens.cluster.tolist() == [1, 0, 1, 0, 0]
    assert tokens.size.tolist() == [3, 2]
    assert tokens.edge_index.tolist() == [[0, 1], [1, 0]]
    assert tokens.edge_attr.flatten().tolist() == [3, 3]
    assert tokens.bbox.tolist() == [[1, 0, 5, 1], [0, 0, 3, 1]]


def test_a_partition_of_ours_comes_back(awkward_image, assert_same):
    tokens = SuperpixelTokenizer(levels=1)(awkward_image)
    assert_same(from_partition(awkward_image, tokens.seg[0]), tokens)
    assert_same(from_partition(awkward_image, tokens.seg), tokens)
    batch = from_partition([awkward_image] * 2, [tokens.seg, tokens.seg[0]])
    assert_same(batch[0], tokens)


LABELS = [[0, 1, 1], [2, 2, 1]]


@pytest.mark.parametrize(
    "labels",
    [
        *(torch.tensor(LABELS, dtype=d) for d in (torch.uint8, torch.int16, torch.int32)),
        *(
            np.array(LABELS, d)
            for d in (np.int64, np.uint8, np.uint16, np.uint32, ">i4", np.uint64)
        ),
        np.array(LABELS)[::-1, ::-1][::-1, ::-1],
        torch.tensor(LABELS).t().contiguous().t(),
        LABELS,
    ],
    ids=lambda labels: f"{type(labels).__name__} {getattr(labels, 'dtype', '')}",
)
def test_integers_of_every_kind(labels):
    tokens = from_partition(noise(2, 3), labels)
    assert tokens.cluster.dtype == torch.int64
    assert tokens.seg[0].tolist() == LABELS


INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]


@pytest.mark.parametrize("name", INTEGERS)
def test_labels_at_the_ends_of_their_type_keep_its_order(name):
    limits = np.iinfo(name)
    values = [limits.min, limits.min + 1, limits.max // 2, limits.max // 2 + 1, limits.max - 1]
    labels = np.array([[limits.max, *values[::-1]], [*values, limits.max]], name)
    expected = [[5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5]]
    for one in (labels, labels.astype(labels.dtype.newbyteorder()), torch.from_numpy(labels)):
        assert from_partition(noise(2, 6), one).seg[0].tolist() == expected
    if name != "uint64":  # of which NumPy makes floats
        assert from_partition(noise(2, 6), labels.tolist()).seg[0].tolist() == expected
    assert (
        from_partition([noise(2, 6)], torch.from_numpy(labels)[None])[0].seg[0].tolist() == expected
    )


@pytest.mark.parametrize("kind", [torch.tensor, np.array])
def test_a_mask_is_two_regions(kind):
    mask = [[True, False, False], [True, True, False]]
    assert from_partition(noise(2, 3), kind(mask)).seg[0].tolist() == [[1, 0, 0], [1, 1, 0]]


def test_images_of_different_sizes_in_one_batch(label_maps, assert_same):
    sizes = [(3, 4), (1, 6), (5, 2)]
    images = [noise(*size) for size in sizes]
    labels = [torch.randint(9, size, generator=seeded(0)) for size in sizes]
    batch = from_partition(images, labels)
    assert isinstance(batch, Batch)
    for i in range(3):
        assert_same(batch[i], from_partition(images[i], labels[i]))
    mixed_kinds = [labels[0].numpy(), labels[1], labels[2].tolist()]
    assert_same(from_partition(images, mixed_kinds), batch)


@pytest.mark.parametrize("kind", [torch.tensor, np.array, list])
def test_a_batch_of_labels_for_a_batch_of_images(kind, assert_same):
    images, labels = torch.stack([noise(2, 3), noise(2, 3, 1)]), [LABELS, LABELS[::-1]]
    batch = from_partition(images, kind(labels))
    for i in range(2):
        assert_same(batch[i], from_partition(images[i], torch.tensor(labels[i])))


def test_labels_follow_the_image_to_its_device(device):
    tokens = from_partition(noise(2, 3).to(device), np.array(LABELS))
    assert tokens.cluster.device.type == device.type
    assert tokens.size.tolist() == [1, 3, 2]


def test_gradients_flow_to_the_pixels():
    image = noise(2, 3).requires_grad_()
    from_partition(image, LABELS).pixels.sum().backward()
    assert torch.equal(image.grad, torch.ones_like(image))


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (noise(2, 3), torch.zeros(3, 2).long(), ValueError, r"\[2, 3\] like .*got \[3, 2\]"),
        (noise(2, 3), torch.zeros(2, 2, 3).long(), ValueError, r"\[2, 3\].*got \[2, 2, 3\]"),
        (noise(2, 3), torch.zeros(1, 3, 2).long(), ValueError, r"\[2, 3\].*got \[1, 3, 2\]"),
        (noise(2, 3), torch.zeros(2, 3).long().to_sparse(), TypeError, "hold integers"),
        (noise(2, 3), np.ma.masked_equal(LABELS, 1), ValueError, "label map: .*masked"),
        (noise(2, 3), torch.zeros(6).long(), ValueError, r"\[2, 3\].*got \[6\]"),
        (noise(2, 3), torch.zeros(2, 3), TypeError, "hold integers, got torch.float32"),
        (noise(2, 3), np.zeros((2, 3)), TypeError, "hold integers, got float64"),
        (noise(2, 3), np.array([["a"] * 3] * 2), TypeError, "hold integers, got <U1"),
        (noise(2, 3), None, TypeError, "label map must be .*got .*NoneType"),
        (noise(2, 3), {0: 1}, TypeError, "label map must be .*got .*dict"),
        ([noise(2, 3)], [], ValueError, "1 images but 0 label maps"),
        (
            [noise(2, 3)] * 2,
            torch.zeros(3, 2, 3).long(),
            ValueError,
            "2 images but 3 label maps",
        ),
        (
            [noise(2, 3), noise(3, 3)],
            [LABELS, LABELS],
            ValueError,
            r"label map 1 must be \[3, 3\] like its image, got \[2, 3\]",
        ),
        ([noise(2, 3)] * 2, [LABELS, None], TypeError, "label map 1 must be .*got .*NoneType"),
        ([noise(2, 3)], 7, TypeError, "label map.*got .*int"),
        ([noise(2, 3)], None, TypeError, "label map.*got .*NoneType"),
        (noise(2, 3), [[0, 1, 1], [2, 2]], ValueError, "label map"),
        (torch.rand(2, 2, 3), LABELS, ValueError, "3 or 1 channels"),
    ],
)
def test_wrong_labels_are_refused(unchecked, images, labels, error, message):
    with pytest.raises(error, match=message):
        from_partition(images, labels)
