"""Levels on which the steps of a contraction are compared."""

import random
from importlib import import_module

import pytest
from hypothesis import strategies as st

from spitgraph.contraction import SIMILARITIES, naive
from spitgraph.contraction.difference import BODIES
from spitgraph.settings import Settings


@pytest.fixture(params=[name for name in BODIES if name != "naive"])
def body(request):
    """Every body that is compared with `naive`, step by step."""
    if request.param == "numba":
        pytest.importorskip("numba")
    return import_module(BODIES[request.param])


def all_settings():
    return st.builds(
        Settings,
        st.integers(1, 4),
        num_tokens=st.none() | st.integers(1, 20),
        similarity=st.sampled_from(list(SIMILARITIES)),
        compactness=st.sampled_from([0.0, 0.1, 0.7, 1.0]),
    )


def draw_pixels(data, any_graph):
    """Pixels of few or many shades, in a grid; or one that misses some edges and has others."""
    height, width = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 8))
    channels, shades = data.draw(st.integers(1, 4)), data.draw(st.sampled_from([0, 1, 3, 10**6]))
    largest = data.draw(st.sampled_from([1, 2**20, 2**32 if any_graph else 2**31 - 1]))
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    features_q = [
        [round(rng.randint(-shades, shades) / max(shades, 1) * largest) for _ in range(channels)]
        for _ in range(height * width)
    ]
    level = naive.pixels(features_q, height, width)
    if any_graph and data.draw(st.booleans()):
        kept = {edge for edge in level.edges if rng.random() < 0.8}
        pairs = {tuple(sorted(rng.choices(range(height * width), k=2))) for _ in range(5)}
        level.edges = sorted(edge for edge in kept | pairs if edge[0] != edge[1])
        rng.shuffle(level.edges)
    return level


@pytest.fixture
def draw_level(body):
    """`draw_level(data)`: a level of an image, 0 to 3, and the settings that it came of."""

    def draw(data):
        level = draw_pixels(data, any_graph=body.__name__ == BODIES["plain"])
        settings = data.draw(all_settings())
        for _ in range(data.draw(st.integers(0, 3))):
            if not naive.is_done(level, settings):
                level, _ = naive.contract_once(level, settings)
        return level, settings

    return draw


@pytest.fixture(scope="session")
def draw_graph():
    """`draw_graph(data)`: level 0 of an image, not always a grid, and settings."""
    return lambda data: (draw_pixels(data, any_graph=True), data.draw(all_settings()))
