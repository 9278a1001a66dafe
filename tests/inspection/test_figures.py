"""What the figures show: every level once, every token and every edge once."""

import sys

import matplotlib.style
import matplotlib.text
import numpy as np
import pytest
import torch

from spitgraph import PatchTokenizer, SuperpixelTokenizer
from spitgraph.inspection import (
    mean_colors,
    plot_comparison,
    plot_graph,
    plot_hierarchy,
    plot_statistics,
    plot_tree,
    plot_values,
    to_pil,
    token_table,
)

FIGURES = {
    "graph": plot_graph,
    "weights": lambda tokens: plot_graph(tokens, weights="border"),
    "hierarchy": plot_hierarchy,
    "tree": plot_tree,
    "values": lambda tokens: plot_values(tokens, "size"),
    "statistics": plot_statistics,
    "comparison": lambda tokens: plot_comparison({"only": tokens}),
}


@pytest.fixture(scope="module")
def tokens():
    image = torch.rand(3, 12, 20, generator=torch.Generator().manual_seed(0))
    return SuperpixelTokenizer(3)(image)


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
@pytest.mark.parametrize("plot", FIGURES.values(), ids=FIGURES)
def test_figures_of_narrow_pictures_have_sensible_sizes(plot, size):
    wide, tall = plot(PatchTokenizer(16)(torch.rand(3, *size))).get_size_inches()
    assert min(wide, tall) >= 0.4 and max(wide, tall) <= 16


@pytest.mark.parametrize("plot", FIGURES.values(), ids=FIGURES)
def test_figures_are_cards_of_the_users_style(plot, tokens):
    for style, ground in (("default", (255, 255, 255, 255)), ("dark_background", (0, 0, 0, 255))):
        with matplotlib.style.context(style):
            figure = plot(tokens)
            assert [round(255 * channel) for channel in figure.get_facecolor()] == list(ground)
            text = figure.findobj(matplotlib.text.Text)
            words = {label.get_color() for label in text if label.get_text().strip()}
            assert words <= {"black" if style == "default" else "white"}


def test_many_levels_wrap_into_rows():
    tokens = SuperpixelTokenizer(9)(torch.rand(3, 40, 60))
    figure = plot_hierarchy(tokens)
    assert figure.get_figwidth() <= 16 and len(figure.axes) == 10
    assert len({round(axes.get_position().y0, 3) for axes in figure.axes}) == 3


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
