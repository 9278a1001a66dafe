"""Values as colours: each region has that of its value, and what has none is hatched."""

import numpy as np
import pandas
import pytest
import torch
from matplotlib import colormaps

from helpers.pictures import noise
from spitgraph import PatchTokenizer
from spitgraph.inspection import plot_values, token_statistics
from spitgraph.inspection.scale import color_scale, round_steps


@pytest.fixture(scope="module")
def tokens():
    return PatchTokenizer(2)(noise(4, 6))  # 2 × 3 patches


def painted(figure):
    """[6, 4] bytes, what is painted inside each patch."""
    picture = np.asarray(next(axes for axes in figure.axes if axes.images).images[0].get_array())
    return picture[::2, ::2].reshape(6, 4)


def test_each_region_has_the_colour_of_its_value(tokens):
    values = [0.0, 1, 2, 3, 4, 5]
    found = painted(plot_values(tokens, values, borders=False))
    assert np.array_equal(found, colormaps["viridis"](np.arange(6) / 5, bytes=True))


def test_a_centre_is_white_and_sides_are_red_and_blue(tokens):
    red, _, blue, _ = painted(plot_values(tokens, [-4.0, 1, 1, 1, 1, 6], center=1.0)).T.astype(int)
    assert blue[0] > red[0] and red[5] > blue[5]
    assert (np.abs(red[1:5] - blue[1:5]) < 3).all() and red[1:5].min() > 180  # borders darken


def test_what_has_no_value_is_left_to_the_hatching(tokens):
    figure = plot_values(tokens, torch.tensor([0.0, float("nan"), 2, float("inf"), 4, 5]))
    assert painted(figure)[:, 3].tolist() == [255, 0, 255, 0, 255, 255]
    assert "no value" in [text.get_text() for axes in figure.axes for text in axes.texts]
    whole = plot_values(tokens, np.full(6, np.nan))
    assert (painted(whole)[:, 3] == 0).all() and len(whole.axes) == 2  # without a colour bar
    assert len(plot_values(tokens, np.zeros(6)).axes) == 2  # without hatching


def test_columns_by_name(tokens):
    for name in token_statistics(tokens):
        figure = plot_values(tokens, name)
        assert [text.get_text() for text in figure.texts] == [name]
    series = pandas.Series(range(6), name="my own")
    assert [text.get_text() for text in plot_values(tokens, series).texts] == ["my own"]


def test_logarithms_space_ratios_evenly(tokens):
    found = painted(plot_values(tokens, [1.0, 10, 100, 1, 10, 100], log=True, borders=False))
    assert np.array_equal(found[:3], colormaps["viridis"]([0.0, 0.5, 1.0], bytes=True))


def test_what_cannot_be_painted_is_refused(tokens, unchecked):
    with pytest.raises(ValueError, match=r"expected \[6\] values, one for each of the tokens"):
        plot_values(tokens, [1, 2])
    with pytest.raises(ValueError, match="one of size, perimeter, .* got 'colour'"):
        plot_values(tokens, "colour")
    with pytest.raises(TypeError, match="expected 6 numbers"):
        plot_values(tokens, ["a"] * 6)
    with pytest.raises(ValueError, match="log needs values above 0, got 0"):
        plot_values(tokens, [0, 1, 2, 3, 4, 5], log=True)
    with pytest.raises(ValueError, match="exclude each other"):
        plot_values(tokens, "size", log=True, center=3.0)


def test_scales_of_one_value_and_of_none():
    for values in ([], [3.0], [0.0, 0.0], [float("nan")]):
        scale = color_scale(torch.tensor(values, dtype=torch.float64))
        low, high = scale.get_clim()
        assert low < high


def test_steps_of_a_logarithmic_bar_are_round():
    assert round_steps(1, 60) == [1, 2, 5, 10, 20, 50]
    assert round_steps(1, 1e6) == [10**power for power in range(7)]
    assert round_steps(2.1, 2.9) == [2.1, 2.9]
