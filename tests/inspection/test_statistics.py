"""Sizes and shapes: worked by hand, against the metric, and how they are drawn."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.pictures import AWKWARD, noise
from spitgraph import PatchTokenizer, SuperpixelTokenizer, from_partition, metrics
from spitgraph.inspection import plot_statistics, token_statistics, token_table
from spitgraph.inspection.histograms import bin_edges


def test_a_hand_worked_table():
    labels = torch.tensor([[0, 0, 0, 0], [1, 1, 2, 0], [1, 1, 2, 0]])
    table = token_statistics(from_partition(noise(3, 4), labels))
    assert table["size"].tolist() == [6, 4, 2]
    assert table["perimeter"].tolist() == [14, 8, 6]
    assert table["compactness"].tolist() == pytest.approx(
        [4 * math.pi * size / around**2 for size, around in ((6, 14), (4, 8), (2, 6))]
    )
    assert table["extent"].tolist() == pytest.approx([6 / 12, 1, 1])
    assert table["aspect"].tolist()[1:] == pytest.approx([1, 1 / 2])
    assert table["degree"].tolist() == [2, 2, 2]
    assert table["border"].tolist() == [5, 4, 5]


def test_rectangles_have_their_aspect_however_they_lie():
    for height, width in ((2, 6), (6, 2), (1, 9)):
        tokens = from_partition(noise(height, width), torch.zeros(height, width, dtype=torch.long))
        expected = min(height, width) / max(height, width)
        assert token_statistics(tokens)["aspect"].tolist() == pytest.approx([expected])
    diagonal = token_statistics(from_partition(noise(40, 40), torch.eye(40, dtype=torch.int64)))
    assert diagonal["aspect"][1] < 0.05 and diagonal["extent"][1] == 1 / 40


@given(st.data())
def test_weighted_by_size_it_is_the_metric(label_maps, data):
    labels = data.draw(label_maps)
    tokens = from_partition(torch.zeros(3, *labels.shape), labels)
    table = token_statistics(tokens)
    mean = (table["compactness"] * table["size"]).sum() / labels.numel()
    assert mean == pytest.approx(metrics.compactness(labels))
    same = ["size", "degree", "border"]
    assert table[same].equals(token_table(tokens)[same])
    assert table["aspect"].between(0, 1 + 1e-12).all() and table["extent"].between(0, 1).all()


def test_shares_add_up_and_medians_are_told():
    tokens = {
        "cells": SuperpixelTokenizer(2)(noise(20, 25)),
        "squares": PatchTokenizer(5)(noise(20, 25)),
    }
    figure = plot_statistics(tokens)
    assert len(figure.axes) == 6
    for axes in figure.axes:
        for steps in axes.patches:
            assert steps.get_data().values.sum() == pytest.approx(1)
    told = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    median = np.median(tokens["cells"].size)
    assert told == [f"cells · median {median:.3g}", "squares · median 25"]


@pytest.mark.parametrize("spacing", ["even", "log", "whole"])
@given(low=st.integers(1, 50), spread=st.integers(0, 10_000))
def test_every_value_has_a_bin(spacing, low, spread):
    values = np.array([low, low + spread], dtype=float)
    ends = (0.0, 20_000.0) if spacing == "even" else None
    edges = bin_edges(values, ends, spacing)
    assert (np.diff(edges) > 0).all() and edges[0] <= values.min() and values.max() <= edges[-1]


@pytest.mark.parametrize("name", ["one pixel", "one row", "checkerboard"])
def test_single_tokens_and_awkward_pictures(name):
    image = AWKWARD[name]
    plot_statistics(SuperpixelTokenizer(1)(image))
    alone = from_partition(image, torch.zeros(image.shape[1:], dtype=torch.int64))
    plot_statistics({"a": alone, "b": alone})


def test_nothing_to_show():
    with pytest.raises(ValueError, match="at least one token graph, got none"):
        plot_statistics({})
