"""Side by side: the same image, the same cut-out, and the numbers of the metrics."""

import pytest
import torch

from helpers.pictures import noise
from spitgraph import PatchTokenizer, SuperpixelTokenizer, metrics
from spitgraph.inspection import comparison_table, plot_comparison


@pytest.fixture(scope="module")
def image():
    return noise(24, 40)


@pytest.fixture(scope="module")
def tokens(image):
    return {"cells": SuperpixelTokenizer(2)(image), "squares": PatchTokenizer(8)(image)}


def test_numbers_are_those_of_the_metrics(tokens, image):
    table = comparison_table(tokens)
    assert table.index.tolist() == ["cells", "squares"]
    assert table["tokens"].tolist() == [len(graph.size) for graph in tokens.values()]
    for name, graph in tokens.items():
        seg = graph.seg[0]
        assert table.loc[name, "explained_variation"] == metrics.explained_variation(seg, image)
        assert table.loc[name, "compactness"] == metrics.compactness(seg)
    assert table.loc["squares", "median_size"] == 64
    # columns 7, 15, 23, 31 and rows 7, 15 of pixels
    assert table.loc["squares", "contour"] == pytest.approx((4 * 24 + 2 * 40 - 8) / (24 * 40))


def test_each_has_a_cut_out_and_a_mosaic(tokens):
    figure = plot_comparison(tokens)
    assert len(figure.axes) == 4 and len(figure.texts) == 2
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == ["cells", "squares"]
    frames = [axes for axes in figure.axes if axes.patches]
    assert len(frames) == 2


def test_a_cut_out_of_ones_own(tokens):
    figure = plot_comparison(tokens, crop=(4, 2, 12, 18))
    frame = next(axes for axes in figure.axes if axes.patches).patches[0]
    assert frame.get_xy() == (3.5, 1.5)
    assert (frame.get_width(), frame.get_height()) == (8, 16)
    for crop in ((0, 0, 41, 5), (4, 4, 4, 8), (-1, 0, 3, 3), (1, 2, 3)):
        with pytest.raises(ValueError, match=r"crop must be .* in 40 × 24 pixels"):
            plot_comparison(tokens, crop=crop)


def test_different_images_are_not_compared(tokens, image):
    other = {**tokens, "other": PatchTokenizer(8)(1 - image)}
    with pytest.raises(ValueError, match="tokens of one image, got 'cells' and 'other'"):
        plot_comparison(other)
    with pytest.raises(ValueError, match=r"\(\[24, 40\] and \[24, 39\]\)"):
        comparison_table({**tokens, "cut": PatchTokenizer(8)(image[:, :, 1:])})
    with pytest.raises(ValueError, match="got none"):
        comparison_table({})


def test_other_things_are_refused(tokens, unchecked):
    with pytest.raises(TypeError, match=r"expected \{name: tokens\}, got TokenData"):
        comparison_table(tokens["cells"])
    with pytest.raises(TypeError, match="TokenData of one image, got Tensor"):
        comparison_table({"a": torch.zeros(3)})
