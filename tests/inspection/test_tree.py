"""The icicle: every region is one run, as wide as it is large, below what it became part of."""

import numpy as np
import pytest
import torch

from helpers.pictures import AWKWARD, noise
from spitgraph import PatchTokenizer, SuperpixelTokenizer
from spitgraph.inspection import plot_tree
from spitgraph.inspection.tree import COLUMNS, IN_BAND, LINED, depth_first, painted


def test_regions_of_all_levels_are_runs():
    tokens = SuperpixelTokenizer(3)(noise(15, 17))
    order = depth_first(tokens.tree.parents, 15 * 17)
    assert sorted(order.tolist()) == list(range(15 * 17))
    for level in range(1, 4):
        regions = tokens.partition(level)[order]
        assert len(regions.unique_consecutive()) == len(regions.unique())


def test_a_row_worked_by_hand():
    pixels = torch.tensor([[0.0, 0.5, 0.7, 0.2]] * 3, dtype=torch.float64)
    row = painted(pixels, torch.tensor([0, 1, 1, 2]), 4 * LINED)
    assert row.shape == (4 * LINED, 3)
    grey = row[:, 0]
    # a pixel is LINED columns wide, lines are where the second and the third region begin
    expected = [0.0] * LINED + [0.6] * 2 * LINED + [0.2] * LINED
    inside = [column for column in range(4 * LINED) if column not in (LINED, 3 * LINED)]
    assert grey[inside].tolist() == pytest.approx([expected[column] for column in inside])
    assert grey[[LINED, 3 * LINED]].tolist() == [0, 1]  # black on bright, white on dark


def test_narrow_regions_keep_the_mean():
    pixels = torch.rand(3, 1000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    row = painted(pixels, torch.arange(1000), 7)
    assert torch.allclose(row.mean(dim=0), pixels.mean(dim=1))


def test_rows_are_the_levels():
    tokens = SuperpixelTokenizer(3)(noise(12, 20))
    figure = plot_tree(tokens)
    counts = tokens.tree.image_counts[0]
    assert [text.get_text() for text in figure.texts] == [
        "image",
        f"level 3 · {counts[3]} tokens",
        *(f"level {level} · {counts[level]} regions" for level in (2, 1)),
        "240 pixels",
    ]
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert shown.shape == (1, COLUMNS, 3)
    assert np.allclose(shown, tokens.pixels.mean(dim=0).numpy(), atol=1e-6)


def test_many_tokens_take_several_bands():
    tokens = PatchTokenizer(1)(noise(1, IN_BAND + 1))
    assert len(plot_tree(tokens).axes) == 1 + 2 * 2  # the image; tokens and pixels, twice


@pytest.mark.parametrize("name", ["one pixel", "one column", "flat grey"])
def test_awkward_pictures(name):
    plot_tree(SuperpixelTokenizer(2)(AWKWARD[name]))
