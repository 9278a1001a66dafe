"""Each metric on cases worked by hand, against a loop over pixel sets, and its properties."""

import math
from collections import Counter

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from torch import Tensor

from helpers.effort import examples
from helpers.pictures import noise
from spitgraph.metrics import (
    achievable_segmentation_accuracy,
    boundary_recall,
    compactness,
    explained_variation,
    undersegmentation_error,
)

AGAINST_TRUTH = [boundary_recall, undersegmentation_error, achievable_segmentation_accuracy]
few_examples = examples(40)
shapes = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


def label_maps(count: int, largest_label: int = 5) -> st.SearchStrategy[list[np.ndarray]]:
    """Lists of label maps of one size, with few labels so that regions get some extent."""
    labels = st.integers(0, largest_label)
    return shapes.flatmap(
        lambda shape: st.lists(
            arrays(np.int64, shape, elements=labels), min_size=count, max_size=count
        )
    )


def red(values: list[list[float]]) -> Tensor:
    """An image [3, H, W] with these values in red, and no green or blue."""
    values = torch.tensor(values)
    return torch.stack([values, torch.zeros_like(values), torch.zeros_like(values)])


# ---- worked by hand ----


@pytest.mark.parametrize(("radius", "expected"), [(0, 1 / 3), (1, 2 / 3), (2, 1.0)])
def test_boundary_recall_by_hand(radius, expected):
    # truth: a vertical cut, its boundary pixels are column 0. labels: a horizontal cut, row 0.
    # Of column 0, row 0 alone is on the found boundary; one more row with each step of the radius.
    truth = np.array([[0, 1, 1], [0, 1, 1], [0, 1, 1]])
    assert boundary_recall(truth.T.copy(), truth, radius) == expected


def test_boundary_recall_window_is_a_square():
    # true boundary: (1,1), (0,1) above it, (1,0) left of it. Found: (1,2) and (2,1), next to (1,1)
    # and only diagonally next to the two others: a diamond would recall 1 of 3.
    truth = np.zeros((3, 3), int)
    truth[1, 1] = 1
    labels = np.zeros((3, 3), int)
    labels[2, 2] = 1
    assert boundary_recall(labels, truth, 0) == 0.0
    assert boundary_recall(labels, truth, 1) == 1.0


@pytest.mark.parametrize(("side", "expected"), [(141, 0.0), (142, 1.0)])
def test_boundary_recall_default_radius(side, expected):
    # 0.0025 · √2 · 141 = 0.499 rounds to 0, and 0.0025 · √2 · 142 = 0.502 to 1: cuts that lie one
    # pixel apart meet at the larger size only.
    columns = torch.arange(side).expand(side, side)
    assert boundary_recall(columns < 50, columns < 51) == expected


@pytest.mark.parametrize(
    ("labels", "truth", "error", "accuracy"),
    [
        # region 0 has pieces of 2 and 1: min(2,1) + min(1,2) = 2; region 1 is whole: 2/6, (2+3)/6
        ([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1], 2 / 6, 5 / 6),
        # one region with pieces of 4, 1, 1: min(4,2) + min(1,5) + min(1,5) = 4
        ([7, 7, 7, 7, 7, 7], [0, 0, 0, 0, 1, 2], 4 / 6, 4 / 6),
        # pieces of 2, 2, 2: 2 + 2 + 2
        ([7, 7, 7, 7, 7, 7], [0, 0, 1, 1, 2, 2], 6 / 6, 2 / 6),
        # every pixel a region: nothing leaks
        ([0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 2, 2], 0.0, 1.0),
    ],
)
def test_leakage_by_hand(labels, truth, error, accuracy):
    labels, truth = np.array([labels]), np.array([truth])
    assert undersegmentation_error(labels, truth) == error
    assert achievable_segmentation_accuracy(labels, truth) == accuracy


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 0, 1, 1], 1.0),
        ([0, 0, 0, 0], 0.0),
        # total 4 · 0.5² = 1; region 0: 1 · 0.5² = 1/4; region 1, mean 2/3: 3 · (1/6)² = 1/12
        ([0, 1, 1, 1], 1 / 3),
    ],
)
def test_explained_variation_by_hand(labels, expected):
    image = red([[0.0, 0.0, 1.0, 1.0]])
    assert explained_variation(np.array([labels]), image) == pytest.approx(expected, abs=1e-15)


def test_explained_variation_sums_over_channels():
    # red varies across the cut, green along it: 4 · 0.5² of each, the cut explains red's alone
    image = torch.tensor([[[0.0, 1.0], [0.0, 1.0]], [[0.0, 0.0], [1.0, 1.0]], [[0.5, 0.5]] * 2])
    assert explained_variation(torch.tensor([[0, 1], [0, 1]]), image) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        # a full square: 4 pixels, 8 sides: 4π · 4 / 8²
        ([[0, 0], [0, 0]], math.pi / 4),
        # 2 pixels, 6 sides: 2π/9, weight 2/6; 4 pixels, 8 sides: π/4, weight 4/6
        ([[0, 1, 1], [0, 1, 1]], 13 * math.pi / 54),
        # ring: 8 pixels, 12 + 4 sides: π/8, weight 8/9; its hole: π/4, weight 1/9
        ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], 5 * math.pi / 36),
        # region 0 in two places: 2 pixels, 8 sides: π/8, weight 2/3; region 1: π/4, weight 1/3
        ([[0, 1, 0]], math.pi / 6),
    ],
)
def test_compactness_by_hand(labels, expected):
    assert compactness(np.array(labels)) == pytest.approx(expected, rel=1e-14)


# ---- against a loop ----


@few_examples
@given(label_maps(2))
def test_leakage_equals_a_loop(maps):
    labels, truth = maps
    size, overlap = Counter(labels.flat), Counter(zip(labels.flat, truth.flat, strict=True))
    error = sum(min(n, size[s] - n) for (s, _), n in overlap.items()) / labels.size
    best = {s: max(n for (t, _), n in overlap.items() if t == s) for s in size}
    assert undersegmentation_error(labels, truth) == error
    assert achievable_segmentation_accuracy(labels, truth) == sum(best.values()) / labels.size


@few_examples
@given(label_maps(1))
def test_compactness_equals_a_loop(maps):
    (labels,) = maps
    framed = np.pad(labels, 1, constant_values=-1)
    size, sides = Counter(labels.flat), Counter()
    for (y, x), label in np.ndenumerate(labels):
        around = framed[y, x + 1], framed[y + 2, x + 1], framed[y + 1, x], framed[y + 1, x + 2]
        sides[label] += sum(other != label for other in around)
    quotients = {s: 4 * math.pi * size[s] / sides[s] ** 2 for s in size}
    expected = sum(size[s] * quotients[s] for s in size) / labels.size
    assert compactness(labels) == pytest.approx(expected, rel=1e-12)
    assert 0 < compactness(labels) <= math.pi / 4 + 1e-12


# ---- properties ----


@few_examples
@given(label_maps(1))
def test_truth_itself_is_perfect(maps):
    (truth,) = maps
    assert boundary_recall(truth, truth) == 1.0
    assert undersegmentation_error(truth, truth) == 0.0
    assert achievable_segmentation_accuracy(truth, truth) == 1.0


@few_examples
@given(label_maps(3))
def test_refining_never_hurts(maps):
    coarse, other, truth = maps
    fine, image = coarse * 6 + other, noise(*truth.shape)
    assert boundary_recall(fine, truth) >= boundary_recall(coarse, truth)
    assert undersegmentation_error(fine, truth) <= undersegmentation_error(coarse, truth)
    assert achievable_segmentation_accuracy(fine, truth) >= achievable_segmentation_accuracy(
        coarse, truth
    )
    assert explained_variation(fine, image) >= explained_variation(coarse, image) - 1e-12


@few_examples
@given(label_maps(2), st.permutations([-(2**63), -7, 0, 3, 2**40, 2**63 - 1]))
def test_names_of_labels_do_not_matter(maps, names):
    labels, truth = maps
    renamed, image = np.array(names)[labels], noise(*truth.shape)
    for metric in AGAINST_TRUTH:
        assert metric(renamed, truth) == metric(labels, truth)
        assert metric(labels, np.array(names)[truth]) == metric(labels, truth)
    assert compactness(renamed) == pytest.approx(compactness(labels), rel=1e-12)
    assert explained_variation(renamed, image) == pytest.approx(
        explained_variation(labels, image), rel=1e-12
    )


def test_a_region_per_pixel_in_both_maps():
    # 4096² possible overlaps: too many for a table, though only 4096 exist
    each = torch.arange(64 * 64).view(64, 64)
    shuffled = each.flatten()[torch.randperm(64 * 64)].view(64, 64)
    assert undersegmentation_error(each, shuffled) == 0.0
    assert achievable_segmentation_accuracy(each, shuffled) == 1.0
    assert boundary_recall(each, shuffled) == 1.0
    assert explained_variation(each, noise(64, 64)) == pytest.approx(1.0, rel=1e-12)
    assert compactness(each) == pytest.approx(math.pi / 4, rel=1e-12)


def test_one_pixel():
    one = np.array([[3]])
    assert [metric(one, one) for metric in AGAINST_TRUTH] == [1.0, 0.0, 1.0]
    assert explained_variation(one, torch.full((3, 1, 1), 0.3)) == 1.0
    assert compactness(one) == pytest.approx(math.pi / 4)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1)])
def test_one_line(shape):
    # cuts after pixel 2 and after pixel 1; the piece of 3 leaks 1 of 3: min(2,1) + min(1,2) = 2
    labels = np.array([0, 0, 0, 1, 1]).reshape(shape)
    truth = np.array([0, 0, 1, 1, 1]).reshape(shape)
    assert boundary_recall(labels, truth) == 0.0
    assert boundary_recall(labels, truth, radius=1) == 1.0
    assert undersegmentation_error(labels, truth) == 2 / 5
    assert achievable_segmentation_accuracy(labels, truth) == 4 / 5
    # 3 pixels, 8 sides: 3π/16, weight 3/5; 2 pixels, 6 sides: 2π/9, weight 2/5
    assert compactness(labels) == pytest.approx(math.pi * (9 / 80 + 4 / 45))


def test_no_true_boundary_is_recalled():
    assert boundary_recall(np.array([[0, 1]]), np.array([[4, 4]])) == 1.0


def test_flat_image_is_explained():
    flat = torch.tensor([0.1, 0.7, 1 / 3])[:, None, None].expand(3, 37, 41)
    assert explained_variation(torch.zeros(37, 41, dtype=torch.int64), flat) == 1.0


# ---- what comes in ----


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint64, np.dtype(">i4"), bool])
def test_arrays_of_every_integer_dtype(dtype):
    labels = np.array([[0, 1, 1], [0, 0, 1]]).astype(dtype)[:, ::-1]  # negative strides
    labels.flags.writeable = False
    truth = np.array([[0, 0, 1], [0, 1, 1]], dtype)
    same = torch.from_numpy(labels.astype(np.int64)), torch.from_numpy(truth.astype(np.int64))
    for metric in AGAINST_TRUTH:
        assert metric(labels, truth) == metric(*same)
    assert compactness(labels) == compactness(same[0])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.bool])
def test_tensors_of_every_integer_dtype(dtype):
    labels = torch.tensor([[0, 1, 1], [0, 0, 1]])
    assert compactness(labels.to(dtype)) == compactness(labels)


def test_images_in_every_form_and_left_alone():
    labels = torch.tensor([[0, 0, 1], [2, 2, 1]])
    bytes_ = torch.arange(18, dtype=torch.uint8).view(3, 2, 3) * 15
    image = bytes_.double() / 255
    before = image.clone()
    expected = explained_variation(labels, image)
    assert torch.equal(image, before)
    assert explained_variation(labels, bytes_) == pytest.approx(expected, rel=1e-6)
    assert explained_variation(labels, bytes_.permute(1, 2, 0).numpy()) == pytest.approx(
        expected, rel=1e-6
    )
    grey = image[:1]
    assert explained_variation(labels, grey) == explained_variation(labels, grey.repeat(3, 1, 1))


def zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.int64)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: compactness(zeros(1, 4, 5)),
            ValueError,
            r"labels \[H, W\].*\[1, 4, 5\].*seg\[0\]",
        ),
        (lambda: compactness(zeros(20)), ValueError, r"got \[20\]"),
        (lambda: compactness(np.zeros((0, 5), int)), ValueError, r"got \[0, 5\]"),
        (lambda: compactness(torch.rand(4, 5)), TypeError, "integers or bools, got torch.float32"),
        (lambda: compactness(np.zeros((4, 5))), TypeError, "got float64"),
        (lambda: compactness([[0, 1]]), TypeError, "got list"),
        (lambda: boundary_recall(zeros(4, 5), zeros(4, 5), -1), ValueError, "radius.*got -1"),
        (
            lambda: explained_variation(zeros(4, 5), noise(5, 4)),
            ValueError,
            r"\[4, 5\].*\[3, 5, 4\]",
        ),
        (lambda: explained_variation(zeros(4, 5), noise(4, 5) * 9), ValueError, r"\[0, 1\], got"),
        (lambda: explained_variation(zeros(2, 2), noise(4, 5)[:2]), ValueError, r"\[2, 4, 5\]"),
    ],
)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("metric", AGAINST_TRUTH)
def test_refused_truth(metric):
    with pytest.raises(ValueError, match=r"labels and truth of one size.*\[4, 5\].*\[5, 4\]"):
        metric(zeros(4, 5), zeros(5, 4))
    with pytest.raises(ValueError, match=r"truth \[H, W\].*\[3, 4, 5\]"):
        metric(zeros(4, 5), zeros(3, 4, 5))
    with pytest.raises(TypeError, match="truth.*torch.float32"):
        metric(zeros(4, 5), torch.rand(4, 5))


@pytest.mark.parametrize("name", ["uint16", "uint32", "uint64", "int8", "int64"])
def test_labels_of_every_integer_are_told_apart(name):
    limits = np.iinfo(name)
    labels = np.array([[limits.min, limits.max], [limits.max // 2 + 1, limits.max]], name)
    few = np.array([[0, 3], [1, 3]])
    for one in (labels, torch.from_numpy(labels)):
        for truth in (few, np.array([[0, 0], [1, 1]]), labels):
            assert boundary_recall(one, truth) == boundary_recall(few, truth)
            assert undersegmentation_error(one, truth) == undersegmentation_error(few, truth)
        assert compactness(one) == compactness(few)


def test_masked_labels_are_refused():
    with pytest.raises(ValueError, match="masked"):
        compactness(np.ma.masked_equal(np.arange(4).reshape(2, 2), 1))
