"""Metrics of masks and saliency maps: by hand, against loops, and where one side is empty."""

import numpy as np
import pytest
import torch

from helpers.pictures import seeded
from spitgraph import metrics
from spitgraph.metrics import (
    f_beta_curve,
    f_beta_max,
    iou,
    mean_absolute_error,
    pixel_accuracy,
    s_measure,
)
from spitgraph.metrics.structure import evenness, objects, quarters, similarity

ALL = [f_beta_max, iou, pixel_accuracy, mean_absolute_error, s_measure]
TRUTH = torch.tensor([[1, 1, 0, 0]], dtype=torch.bool)


def f(precision, recall, beta2=0.3):
    return (1 + beta2) * precision * recall / (beta2 * precision + recall)


def looped(prediction, truth, beta2=0.3):
    """F at every threshold, as the equation has it."""
    values = []
    for threshold in np.linspace(0, 1 - 1e-10, 255):
        found = prediction.numpy() >= threshold
        right = float((found & truth.numpy()).sum())
        precision, recall = right / max(found.sum(), 1), right / float(truth.sum())
        values.append(f(precision, recall, beta2) if right else 0.0)
    return np.array(values)


# ---- F -------------------------------------------------------------------------------------------


def test_f_is_that_of_precision_and_recall_at_every_threshold():
    prediction = torch.tensor([[0.9, 0.5, 0.7, 0.1]])
    curve = f_beta_curve(prediction, TRUTH)
    assert curve[0] == f(1 / 2, 1)  # every pixel
    assert float(curve[120]) == pytest.approx(f(2 / 3, 1))  # without the last
    assert float(curve[150]) == pytest.approx(f(1 / 2, 1 / 2))  # 0.9 and 0.7
    assert float(curve[200]) == f(1, 1 / 2) and curve[240] == 0
    assert f_beta_max(prediction, TRUTH) == float(curve.max()) == pytest.approx(f(1, 1 / 2))


def test_it_is_averaged_before_the_maximum_is_taken():
    low, high = torch.tensor([[0.2, 0.2, 0.1, 0.1]]), torch.tensor([[0.9, 0.9, 0.8, 0.8]])
    assert f_beta_max(low, TRUTH) == f_beta_max(high, TRUTH) == 1
    # of one threshold, the one image is wholly foreground, or the other empty
    assert f_beta_max([low, high], [TRUTH, TRUTH]) == pytest.approx((1 + f(1 / 2, 1)) / 2)


@pytest.mark.parametrize("beta2", [0.3, 1.0])
def test_f_is_that_of_a_loop(beta2):
    prediction = torch.rand(7, 9, generator=seeded(0))
    prediction[0] = torch.linspace(0, 1, 9)
    truth = torch.rand(7, 9, generator=seeded(1)) > 0.6
    expected = looped(prediction.double(), truth, beta2)
    np.testing.assert_allclose(f_beta_curve(prediction, truth, beta2=beta2), expected)


def test_of_a_mask_it_is_the_same_at_every_threshold_but_the_first():
    mask = torch.tensor([[True, False, True, False]])
    assert f_beta_curve(mask, TRUTH)[1:].unique().tolist() == [f(1 / 2, 1 / 2)]


# ---- at a half -----------------------------------------------------------------------------------


def test_by_hand():
    prediction = torch.tensor([[0.9, 0.5, 0.6, 0.0]])  # a half is not above a half
    assert iou(prediction, TRUTH) == 1 / 3
    assert pixel_accuracy(prediction, TRUTH) == 1 / 2
    assert mean_absolute_error(prediction, TRUTH) == pytest.approx((0.1 + 0.5 + 0.6) / 4)


def test_a_perfect_mask():
    mask = torch.zeros(8, 9, dtype=torch.bool)
    mask[2:5, 3:7] = True
    for metric in ALL:
        assert metric(mask, mask) == pytest.approx(float(metric is not mean_absolute_error))
        assert metric(mask.float(), mask.byte() * 255) == metric(mask, mask)
        assert metric(mask.numpy(), mask.numpy().astype(np.uint16)) == metric(mask, mask)


@pytest.mark.parametrize(
    "predicted, true, expected",
    [
        (False, False, {f_beta_max: 1, iou: 1, pixel_accuracy: 1, s_measure: 1}),
        (True, False, {f_beta_max: 0, iou: 0, pixel_accuracy: 0, s_measure: 0}),
        (False, True, {iou: 0, pixel_accuracy: 0, s_measure: 0}),
        (True, True, {f_beta_max: 1, iou: 1, pixel_accuracy: 1, s_measure: 1}),
    ],
)
def test_empty_and_full(predicted, true, expected):
    pair = torch.full((3, 4), predicted), torch.full((3, 4), true)
    assert {metric: metric(*pair) for metric in expected} == expected
    assert mean_absolute_error(*pair) == float(predicted != true)


# ---- structure -----------------------------------------------------------------------------------


def test_the_structure_of_one_sided_truths_is_a_mean():
    prediction = torch.tensor([[0.25, 0.75], [0.5, 0.1]])
    assert s_measure(prediction, torch.ones(2, 2, dtype=torch.bool)) == pytest.approx(0.4)
    assert s_measure(prediction, torch.zeros(2, 2, dtype=torch.bool)) == pytest.approx(0.6)


def test_the_structure_by_hand():
    x = torch.tensor([[0.8, 0.4], [0.2, 0.2]], dtype=torch.float64)
    y = torch.tensor([[1, 1], [0, 0]], dtype=torch.bool)
    deviation = 0.4 / 2**0.5  # of 0.8 and 0.4; that of the background is 0
    foreground = 2 * 0.6 / (0.6**2 + 1 + deviation)
    background = 2 * 0.8 / (0.8**2 + 1)
    assert evenness(x[y]) == pytest.approx(foreground)
    assert objects(x, y) == pytest.approx((foreground + background) / 2)
    # the centroid is in row 1, column 2 of 2 (counted from 1, 1.5 rounded up): upper left is [1, 2]
    upper = 0.0  # the truth is constant there, the map is not
    lower = 1.0  # both are constant
    assert quarters(x, y) == pytest.approx((2 * upper + 2 * lower) / 4)
    expected = 0.5 * (foreground + background) / 2 + 0.5 * 0.5
    assert s_measure(x, y) == pytest.approx(expected)


def test_the_similarity_by_hand():
    x = torch.tensor([[0.0, 1], [0.5, 0.5]], dtype=torch.float64)
    y = torch.tensor([[0.0, 1], [0, 1]], dtype=torch.float64)
    covariance, variances = 0.5 / 3, (0.5 + 1) / 3
    expected = 4 * 0.5 * 0.5 * covariance / ((0.25 + 0.25) * variances)
    assert similarity(x, y) == pytest.approx(expected)
    assert similarity(x, x) == pytest.approx(1)


def test_an_inverted_mask_has_no_structure():
    mask = torch.zeros(6, 6, dtype=torch.bool)
    mask[:3, :2] = True
    assert s_measure(~mask, mask) < 0.4 < 0.9 < s_measure(mask.float() * 0.98, mask)


# ---- several -------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ALL)
def test_of_several_the_mean_counts_and_of_sequences_theirs_first(metric):
    generator = seeded(0)
    sizes = [(4, 6), (5, 5), (3, 7)]
    maps = [torch.rand(size, generator=generator) for size in sizes]
    truths = [torch.rand(size, generator=generator) > 0.5 for size in sizes]
    if metric is f_beta_max:
        curves = [f_beta_curve(*pair) for pair in zip(maps, truths, strict=True)]
        one, two, three = curves
        mean, grouped = (one + two + three) / 3, ((one + three) / 2 + two) / 2
        mean, grouped = float(mean.max()), float(grouped.max())
    else:
        one, two, three = (metric(*pair) for pair in zip(maps, truths, strict=True))
        mean, grouped = (one + two + three) / 3, ((one + three) / 2 + two) / 2
    assert metric(maps, truths) == pytest.approx(mean)
    assert metric(iter(maps), iter(truths), groups="aba") == pytest.approx(grouped)


@pytest.mark.parametrize("metric", ALL)
def test_what_does_not_fit_is_refused(metric, unchecked):
    mask = torch.zeros(4, 5, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"of one size, got \[4, 4\] and \[4, 5\]"):
        metric(mask[:, 1:], mask)
    with pytest.raises(ValueError, match=r"image 1: expected .* of one size, got \[4, 5\] and"):
        metric([mask, mask], [mask, mask.T])
    with pytest.raises(ValueError, match="as many truths as predictions, got only 1"):
        metric([mask, mask], [mask])
    with pytest.raises(ValueError, match="as many truths as predictions, got more than 1"):
        metric([mask], [mask, mask])
    with pytest.raises(ValueError, match="as many groups as predictions, got only 1"):
        metric([mask, mask], [mask, mask], groups="a")
    with pytest.raises(ValueError, match="at least one prediction"):
        metric([], [])
    with pytest.raises(ValueError, match=r"predictions in \[0, 1\], got 0 … 255"):
        metric(torch.tensor([[0.0, 255]]), torch.tensor([[True, False]]))
    with pytest.raises(ValueError, match=r"predictions in \[0, 1\], got nan"):
        metric(torch.tensor([[0.0, torch.nan]]), torch.tensor([[True, False]]))
    with pytest.raises(TypeError, match=r"bools or of floats in \[0, 1\], got torch.uint8"):
        metric(mask.byte(), mask)
    with pytest.raises(TypeError, match="a truth of bools or integers, got torch.float32"):
        metric(mask, mask.float())
    with pytest.raises(ValueError, match=r"a prediction \[H, W\] of at least one pixel"):
        metric([mask[0]], [mask])
    with pytest.raises(TypeError, match="expected truths as a map .* or several"):
        metric([mask], mask)


def test_they_are_public():
    assert {metric.__name__ for metric in ALL} <= set(metrics.__all__)
