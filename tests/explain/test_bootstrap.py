"""Intervals of means over images."""

import pytest
import torch

from helpers.pictures import seeded
from spitgraph.explain import bootstrap_interval


def test_are_those_of_the_same_seed():
    values = torch.rand(50, generator=seeded(0))
    few = {"n_resamples": 500}
    found = [bootstrap_interval(values, generator=seeded(s), **few) for s in (3, 3, 4)]
    assert found[0] == found[1] and found[0] != found[2]
    assert bootstrap_interval(values, **few) == bootstrap_interval(values.tolist(), **few)


def test_hold_the_mean_and_are_about_two_standard_errors_wide():
    values = torch.randn(400, generator=seeded(0)) + 3
    found = bootstrap_interval(values)
    error = float(values.std() / 20)
    assert found.mean == pytest.approx(float(values.mean()))
    assert found.mean - found.low == pytest.approx(1.96 * error, rel=0.1)
    assert found.high - found.mean == pytest.approx(1.96 * error, rel=0.1)
    wide = bootstrap_interval(values, level=0.99)
    assert wide.low < found.low and found.high < wide.high


@pytest.mark.parametrize("values", [[0.3], [0.2] * 7])
def test_of_equal_values_are_the_mean(values):
    assert bootstrap_interval(values) == pytest.approx((values[0],) * 3)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([], {}, "n ≥ 1"),
        ([1.0, float("nan")], {}, "finite"),
        ([[1.0, 2.0]], {}, "n ≥ 1"),
        ([1.0, 2.0], {"level": 1}, "level"),
        ([1.0, 2.0], {"n_resamples": 0}, "n_resamples"),
    ],
)
def test_bad_input_is_refused(values, options, message, unchecked):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(values, **options)
