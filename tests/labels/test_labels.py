"""Labels of tokens, worked by hand; and what keeps them: batches, slices, files."""

import numpy as np
import pytest
import torch
from hypothesis import given
from PIL import Image
from torch_geometric.data import Batch

from helpers.effort import examples
from helpers.pictures import noise, seeded
from spitgraph import PatchTokenizer, SuperpixelTokenizer, from_partition
from spitgraph.attributes import NotHeldError
from spitgraph.labels import (
    oracle_bound,
    with_boxes,
    with_image_labels,
    with_instances,
    with_pixel_labels,
)

PARTITION = [[0, 0, 0, 1], [0, 2, 2, 1], [3, 3, 3, 3]]
LABELS = [[5, 5, 2, 7], [2, 255, 255, 3], [255, 255, 255, 4]]


@pytest.fixture
def tokens():
    """Four regions of 4, 2, 2 and 4 pixels."""
    return from_partition(noise(3, 4), PARTITION)


def test_most_pixels_decide_and_of_as_many_the_lower_class(tokens):
    labelled = with_pixel_labels(tokens, LABELS)
    assert labelled.y.tolist() == [2, 3, 255, 4]
    assert labelled.y_share.tolist() == [0.5, 0.5, 0.0, 0.25]
    assert labelled.y.dtype == torch.int64 and labelled.y_share.dtype == torch.float32
    assert "y" not in tokens
    counted = with_pixel_labels(tokens, LABELS, ignore_index=None)
    assert counted.y.tolist() == [2, 3, 255, 255]
    assert counted.y_share.tolist() == [0.5, 0.5, 1.0, 0.75]


def test_labels_may_lie_far_apart(tokens):
    far = torch.tensor(LABELS) * 2**40 - 2**60
    labelled = with_pixel_labels(tokens, far, ignore_index=255 * 2**40 - 2**60)
    expected = with_pixel_labels(tokens, LABELS)
    assert torch.equal(labelled.y, expected.y * 2**40 - 2**60)
    assert torch.equal(labelled.y_share, expected.y_share)


def test_label_maps_of_many_kinds(tokens, assert_same):
    expected = with_pixel_labels(tokens, LABELS)
    array = np.array(LABELS, np.uint8)
    picture = Image.fromarray(array)
    palette = picture.copy()
    palette.putpalette([0, 0, 0] * 256)
    for labels in (array, torch.tensor(LABELS), torch.tensor(LABELS)[None], picture, palette):
        assert_same(with_pixel_labels(tokens, labels), expected)


def test_the_bound_by_hand(tokens):
    bound = oracle_bound(tokens, LABELS)
    # of 7 pixels that count, tokens say 2, 3 and 4: a 5 too many is a 2, and the 7 is a 3
    assert bound.num_pixels == 7
    assert bound.accuracy == 4 / 7
    iou = dict(zip(range(8), bound.iou.tolist(), strict=True))
    assert [iou[c] for c in (2, 3, 4, 5, 7)] == [2 / 4, 1 / 2, 1.0, 0.0, 0.0]
    assert all(np.isnan(iou[c]) for c in (0, 1, 6))
    assert bound.miou == pytest.approx((0.5 + 0.5 + 1) / 5)
    assert "accuracy=0.5714" in repr(bound) and "classes=5" in repr(bound)


def test_bounds_add_up():
    images = [noise(6, 7), noise(4, 9, 1), noise(5, 5, 2)]
    labels = [torch.randint(4, image.shape[1:], generator=seeded(3)) for image in images]
    batch = PatchTokenizer(2)(images)
    together = oracle_bound(batch, labels)
    alone = [oracle_bound(batch[i], labels[i]) for i in range(3)]
    assert torch.equal(sum(alone).confusion, together.confusion)
    few, many = (oracle_bound(batch[0], torch.full((6, 7), c)) for c in (0, 3))
    assert (few + many).confusion.diagonal().tolist() == [42, 0, 0, 42]
    assert np.isnan(oracle_bound(batch[0], torch.full((6, 7), 255)).accuracy)


@examples(6)
@given(...)
def test_no_labelling_of_tokens_is_better(seed: int):
    image = noise(6, 6, seed % 1000)
    labels = torch.randint(3, (6, 6), generator=seeded(seed % 1000))
    tokens = SuperpixelTokenizer(num_tokens=5)(image)
    bound = oracle_bound(tokens, labels)
    labelled = with_pixel_labels(tokens, labels)
    right = (labelled.y[tokens.cluster] == labels.flatten()).double().mean()
    assert bound.accuracy == pytest.approx(float(right))
    assert bound.accuracy == pytest.approx(float((labelled.y_share * tokens.size).sum() / 36))
    for other in torch.cartesian_prod(*[torch.arange(3)] * 5):
        assert (other[tokens.cluster] == labels.flatten()).double().mean() <= right


def test_pixels_as_tokens_are_labelled_perfectly():
    labels = torch.randint(5, (4, 6), generator=seeded(0))
    tokens = from_partition(noise(4, 6), torch.arange(24).view(4, 6))
    assert torch.equal(with_pixel_labels(tokens, labels).y, labels.flatten())
    assert oracle_bound(tokens, labels).miou == 1.0


def test_instances_by_number(tokens):
    numbers = [[1, 1, 0, 2], [0, 255, 255, 2], [255, 255, 255, 3]]
    known = with_instances(tokens, numbers, classes=[8, 9, 8])
    assert known.instance.tolist() == [0, 2, 255, 3]
    assert known.instance_share.tolist() == [0.5, 1.0, 0.0, 0.25]
    assert known.y.tolist() == [0, 9, 255, 8]
    assert "y" not in with_instances(tokens, numbers)


def test_instances_by_masks_the_smallest_on_top(tokens):
    large, small = torch.ones(3, 4, dtype=torch.bool), torch.zeros(3, 4, dtype=torch.bool)
    small[1, 1:3] = True
    for masks in (
        [large, small],
        torch.stack([large, small]),
        [{"segmentation": m.numpy()} for m in (large, small)],
    ):
        known = with_instances(tokens, masks, classes=[4, 6])
        assert known.instance.tolist() == [1, 1, 2, 1]
        assert known.y.tolist() == [4, 4, 6, 4]
    none = with_instances(tokens, [], classes=[], background=7)
    assert none.instance.tolist() == [0] * 4 and none.y.tolist() == [7] * 4


def test_objects_of_a_class_vote_together():
    tokens = from_partition(noise(1, 5), [[0] * 5])
    known = with_instances(tokens, [[0, 0, 1, 2, 3]], classes=[1, 1, 1])
    assert known.instance.tolist() == [0] and known.y.tolist() == [1]
    assert known.y_share.tolist() == pytest.approx([0.6])


def test_boxes_by_hand(tokens):
    # the right column; all of the picture; the first two columns; nothing
    boxes = [[2.6, -5, 9, 9], [0, 0, 4, 3], [0, 0, 2, 3], [0.6, 0.6, 1.4, 1.4]]
    known = with_boxes(tokens, boxes, classes=[1, 2, 3, 4])
    assert known.instance.tolist() == [3, 1, 2, 2]
    assert known.instance_share.tolist() == pytest.approx([0.75, 1.0, 1.0, 1.0])
    assert known.y.tolist() == [3, 1, 2, 2]
    half = with_boxes(tokens, [[0, 0, 2, 3]])  # half of the pixels is not more than half
    assert half.instance.tolist() == [1, 0, 0, 0]
    assert half.instance_share.tolist() == pytest.approx([0.75, 1.0, 0.5, 0.5])
    twice = with_boxes(tokens, [[0, 0, 2, 3]] * 2)
    assert twice.instance.tolist() == [1, 0, 0, 0]
    none = with_boxes(tokens, [], classes=[], background=-1)
    assert none.y.tolist() == [-1] * 4 and none.y_share.tolist() == [1.0] * 4


def test_labels_of_images():
    images = [noise(4, 4), noise(5, 3)]
    alone, batch = PatchTokenizer(2)(images[0]), PatchTokenizer(2)(images)
    assert with_image_labels(alone, 3).y.tolist() == [3]
    labelled = with_image_labels(batch, [3, 1])
    assert labelled.y.tolist() == [3, 1] and labelled[1].y.tolist() == [1]
    several = with_image_labels(batch, torch.eye(2))
    assert several.y.shape == (2, 2) and several[1].y.tolist() == [[0, 1]]
    assert with_image_labels(alone, 2.5).y.dtype == torch.float32
    together = Batch.from_data_list([labelled[0], labelled[1]])
    assert torch.equal(together.y, labelled.y)


LABELLERS = {
    "pixels": lambda tokens, many: with_pixel_labels(tokens, [LABELS] * 2 if many else LABELS),
    "instances": lambda tokens, many: with_instances(
        tokens,
        [LABELS] * 2 if many else LABELS,
        classes=[range(7)] * 2 if many else range(7),
        background=9,
    ),
    "boxes": lambda tokens, many: with_boxes(
        tokens, [[[0, 0, 3, 3]]] * 2 if many else [[0, 0, 3, 3]], classes=[[1]] * 2 if many else [1]
    ),
    "image": lambda tokens, many: with_image_labels(tokens, [4, 4] if many else 4),
}


@pytest.mark.parametrize("kind", LABELLERS)
def test_labels_batch_and_are_saved(kind, assert_same, tmp_path):
    images = [noise(3, 4), noise(3, 4, 1)]
    batch = LABELLERS[kind](from_partition(images, [PARTITION, PARTITION[::-1]]), True)
    alone = [
        LABELLERS[kind](from_partition(image, labels), False)
        for image, labels in zip(images, [PARTITION, PARTITION[::-1]], strict=True)
    ]
    for index in range(2):
        assert_same(batch[index], alone[index])
    assert_same(Batch.from_data_list(alone), batch)
    torch.save(batch, tmp_path / "batch.pt")
    read = torch.load(tmp_path / "batch.pt", weights_only=True)
    assert_same(read[1], alone[1])
    assert torch.equal(batch.without_pixels()[0].y, alone[0].y)


WRONG = [
    (with_pixel_labels, [[0] * 3] * 3, ValueError, r"labels must be \[3, 4\].*got \[3, 3\]"),
    (with_pixel_labels, torch.zeros(3, 4), TypeError, "integers.*got torch.float32"),
    (with_pixel_labels, np.zeros((3, 4), np.uint64), TypeError, "63 bits, got uint64"),
    (with_pixel_labels, Image.new("RGB", (4, 3)), TypeError, "mode L or P, got mode RGB"),
    (with_pixel_labels, None, TypeError, "got NoneType"),
    (oracle_bound, [[-1] * 4] * 3, ValueError, r"0 … -1, got -1"),
    (with_instances, [[-2] * 4] * 3, ValueError, "from 0 on, got -2"),
    (with_instances, [torch.ones(2, 2).bool()], ValueError, r"mask 0.*must be \[3, 4\]"),
    (with_boxes, [[0, 0, 1]], ValueError, r"\[K, 4\], got \[1, 3\]"),
    (with_boxes, [[2, 0, 1, 1]], ValueError, "x_min < x_max"),
    (with_boxes, [[0, 0, 1, float("nan")]], ValueError, "finite"),
    (with_boxes, "box", TypeError, "numbers"),
    (with_image_labels, [[[1]]], ValueError, "got shape"),
    (with_image_labels, "cat", TypeError, "labels must be numbers"),
]


@pytest.mark.parametrize(("function", "labels", "error", "message"), WRONG)
def test_what_does_not_fit_is_refused(unchecked, tokens, function, labels, error, message):
    with pytest.raises(error, match=message):
        function(tokens, labels)


def test_more_is_refused(unchecked, tokens):
    with pytest.raises(ValueError, match="classes hold 0|hold 0, which is that of the background"):
        with_boxes(tokens, [[0, 0, 1, 1]], classes=[0])
    with pytest.raises(ValueError, match="got 1 boxes of image 0, and 2 classes"):
        with_boxes(tokens, [[0, 0, 1, 1]], classes=[1, 2])
    with pytest.raises(ValueError, match="of 1 objects, but there is an object 2"):
        with_instances(tokens, [[2] * 4] * 3, classes=[1])
    with pytest.raises(ValueError, match=r"0 … 1, got 7"):
        oracle_bound(tokens, LABELS, num_classes=2)
    batch = Batch.from_data_list([tokens, tokens])
    with pytest.raises(ValueError, match="labels of 2 images, got 1"):
        with_pixel_labels(batch, [LABELS])
    with pytest.raises(TypeError, match="a TokenData or a batch"):
        with_pixel_labels(noise(2, 2), LABELS)
    with pytest.raises(NotHeldError, match="no longer belongs"):
        with_pixel_labels(tokens.subgraph(torch.tensor([0, 1])), LABELS)
