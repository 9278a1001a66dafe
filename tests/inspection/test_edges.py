"""Numbers of edges: the same in both directions, and those that one would compute by hand."""

import numpy as np
import pytest
import torch

from helpers.pictures import noise
from spitgraph import InterpolationExtractor, SuperpixelTokenizer, from_partition
from spitgraph.inspection import edge_values, plot_graph
from spitgraph.inspection.edges import undirected

STRIPES = torch.tensor([[0, 1, 1, 2]] * 3)


@pytest.fixture(scope="module")
def stripes():
    return from_partition(torch.tensor([0.0, 1.0, 1.0, 1.0]).expand(3, 3, 4), STRIPES)


def test_hand_worked(stripes):
    assert stripes.edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert edge_values(stripes, "border").tolist() == [3, 3, 3, 3]
    # black and white are 100 apart, white and white are not
    assert edge_values(stripes, "color") == pytest.approx([100, 100, 0, 0], abs=1e-2)
    stripes = stripes.clone()
    stripes.x = torch.tensor([[1.0, 0], [1, 1], [-2, -2]])
    half = 0.5**0.5
    assert edge_values(stripes, "vectors") == pytest.approx([half, half, -1, -1])


def test_both_directions_agree():
    tokens = InterpolationExtractor(bins=2)(SuperpixelTokenizer(2)(noise(12, 14)))
    u, v = tokens.edge_index
    back = (v * tokens.num_nodes + u).argsort()
    for by in ("border", "color", "vectors"):
        values = edge_values(tokens, by)
        assert torch.equal(values, values[back])


def test_pairs_have_the_mean_of_their_directions(stripes):
    assert undirected(stripes, torch.tensor([1.0, 3, 10, 20])).tolist() == [2, 15]
    alone = from_partition(noise(2, 2), torch.zeros(2, 2, dtype=torch.int64))
    assert undirected(alone, torch.zeros(0)).tolist() == []


def test_weights_are_drawn_in_the_order_of_their_values(stripes):
    figure = plot_graph(stripes, weights=[5.0, 5, float("nan"), 1], label="mine")
    lines, _ = figure.axes[0].collections
    ends = [sorted(segment[:, 0].tolist()) for segment in lines.get_segments()]
    assert ends == [[1.5, 3.0], [0.0, 1.5]]  # the one without a value is at the bottom
    assert np.allclose(lines.get_colors()[0][:3], 0.6)
    assert np.diff(lines.get_linewidths()) > 0
    assert [text.get_text() for text in figure.texts] == ["mine"]


def test_named_weights_say_what_they_are(stripes):
    figure = plot_graph(stripes, weights="color")
    assert figure.texts[0].get_text() == "difference of mean colours, ΔE"
    assert len(figure.axes) == 2


def test_other_weights_are_refused(stripes, unchecked):
    with pytest.raises(ValueError, match="by must be one of 'border', 'color', 'vectors'"):
        plot_graph(stripes, weights="length")
    with pytest.raises(ValueError, match="no vectors"):
        edge_values(stripes, "vectors")
    with pytest.raises(ValueError, match=r"expected \[4\] values, one for each of the directed"):
        plot_graph(stripes, weights=[1, 2])
