"""What the figures show: every level once, every token and every edge once."""

import io
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from spitgraph import PatchTokenizer, SuperpixelTokenizer
from spitgraph.inspection import mean_colors, plot_graph, plot_hierarchy, to_pil, token_table


@pytest.fixture(scope="module")
def tokens():
    image = torch.rand(3, 12, 20, generator=torch.Generator().manual_seed(0))
    return SuperpixelTokenizer(3)(image)


def rendered(figure):
    file = io.BytesIO()
    figure.savefig(file)
    return Image.open(file)


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def test_a_strip_shows_the_image_and_every_level(tokens):
    figure = plot_hierarchy(tokens)
    counts = [len(parent) for parent in tokens.parents[1:]] + [tokens.num_nodes]
    assert titles(figure) == [
        "image",
        *(f"level {level} · {count} regions" for level, count in enumerate(counts, start=1)),
    ]
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    assert np.array_equal(shown[0], to_pil(tokens.pixels.t().reshape(3, 12, 20)))
    assert np.array_equal(shown[-1], to_pil(mean_colors(tokens)))


def test_levels_can_be_chosen(tokens):
    assert titles(plot_hierarchy(tokens, [0, 3]))[0] == "image"
    assert [title[:7] for title in titles(plot_hierarchy(tokens, [3, 1]))] == ["level 3", "level 1"]
    with pytest.raises(ValueError, match="level must be in 0 … 3, got 4"):
        plot_hierarchy(tokens, [4])
    with pytest.raises(ValueError, match="at least one level"):
        plot_hierarchy(tokens, [])


def test_one_region_is_singular():
    tokens = SuperpixelTokenizer(num_tokens=1)(torch.zeros(3, 2, 2))
    assert titles(plot_hierarchy(tokens))[-1].endswith("· 1 region")


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
@pytest.mark.parametrize("plot", [plot_graph, plot_hierarchy])
def test_figures_of_narrow_pictures_have_sensible_sizes(plot, size):
    picture = rendered(plot(PatchTokenizer(16)(torch.rand(3, *size))))
    assert min(picture.size) >= 30 and max(picture.size) <= 1500


def test_a_graph_has_a_disc_a_token_and_a_line_an_edge(tokens):
    figure = plot_graph(tokens)
    lines, discs = figure.axes[0].collections
    assert np.array_equal(discs.get_offsets(), tokens.pos)
    assert np.allclose(discs.get_facecolors()[:, :3], tokens.color)
    segments = {tuple(map(tuple, segment.tolist())) for segment in lines.get_segments()}
    u, v = tokens.edge_index
    once = u < v
    ends = zip(tokens.pos[u[once]].tolist(), tokens.pos[v[once]].tolist(), strict=True)
    assert segments == {(tuple(a), tuple(b)) for a, b in ends}
    assert len(lines.get_linewidths()) == once.sum()


@pytest.mark.parametrize("plot", [plot_graph, plot_hierarchy, token_table])
def test_batches_are_refused(plot):
    with pytest.raises(ValueError, match="batch of 2"):
        plot(PatchTokenizer(2)(torch.rand(2, 3, 4, 4)))


@pytest.mark.parametrize(
    "plot, module",
    [(plot_graph, "matplotlib"), (plot_hierarchy, "matplotlib"), (token_table, "pandas")],
)
def test_a_missing_extra_is_named(plot, module, tokens, monkeypatch):
    loaded = [name for name in sys.modules if name == module or name.startswith(f"{module}.")]
    for name in {module, *loaded}:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r'pip install "spitgraph\[plot\]"'):
        plot(tokens)
