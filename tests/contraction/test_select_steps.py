"""Which edges are contracted: every body as METHOD 2.4, 2.5 and 2.7 written out."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from spitgraph.contraction import naive, select, steps
from spitgraph.contraction.naive import Level
from spitgraph.settings import Settings


@given(st.data())
def test_choose(extensions, body, draw_level, data):
    level, settings = draw_level(data)
    weight = naive.edge_weights(level, settings)
    loop = naive.self_loop_weights(level, settings)
    expected = naive.choose(level, settings, weight, loop)
    assert body.choose(level, settings, weight, loop) == expected


@given(st.data())
def test_choose_among_any_weights(extensions, draw_graph, data):
    """Of the plain body, which takes weights as they come: ties everywhere, loops of all sizes."""
    level, settings = draw_graph(data)
    weights = st.sampled_from([0.0, 0.25, 0.5, 1.0])
    weight = [data.draw(weights) for _ in level.edges]
    loop = [data.draw(st.sampled_from([-math.inf, 0.25, 0.5, 2.0])) for _ in level.size]
    expected = naive.choose(level, settings, weight, loop)
    assert steps.choose(level, settings, weight, loop) == expected


@given(st.data())
def test_keep_strongest(extensions, body, draw_level, data):
    level, settings = draw_level(data)
    weight = naive.edge_weights(level, settings)
    neighbour = naive.choose(level, settings, weight, naive.self_loop_weights(level, settings))
    at_most = data.draw(st.integers(1, len(level.size)))
    expected = naive.keep_strongest(level, weight, neighbour, at_most)
    assert body.keep_strongest(level, weight, neighbour, at_most) == expected


@given(st.data())
def test_find_clusters(extensions, body, draw_level, data):
    level, settings = draw_level(data)
    weight = naive.edge_weights(level, settings)
    neighbour = naive.choose(level, settings, weight, naive.self_loop_weights(level, settings))
    at_most = data.draw(st.integers(0, len(level.size)))
    neighbour = naive.keep_strongest(level, weight, neighbour, at_most)
    assert body.find_clusters(level, neighbour) == naive.find_clusters(level, neighbour)


@given(st.data())
def test_roots(draw_graph, data):
    level, settings = draw_graph(data)
    weight = naive.edge_weights(level, settings)
    neighbour = naive.choose(level, settings, weight, naive.self_loop_weights(level, settings))
    root = naive.find_roots(neighbour)
    assert select.tree_roots(torch.tensor(neighbour)).tolist() == root
    number, count = select.number_by_first(torch.tensor(root))
    assert number.tolist() == naive.number_by_first(root) and count == len(set(root))


@given(st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1)), min_size=1))
def test_priorities(pairs):
    u, v = torch.tensor([sorted(pair) for pair in pairs]).t()
    assert select.edge_priority(u, v).tolist() == [naive.edge_priority(*pair) for pair in pairs]


def test_priorities_are_those_of_splitmix64():
    # the second number of the generator seeded with 0 is its finaliser of twice the increment
    x = 2 * 0x9E3779B97F4A7C15 % 2**64
    assert naive.edge_priority(x >> 32, x % 2**32) == 0x6E789E6AA1B965F4


def row(body, weight, loop, **settings):
    """What regions in a row choose."""
    n = len(loop)
    boxes = [(x, 0, x + 1, 1) for x in range(n)]
    level = Level([[0]] * n, [1] * n, boxes, [(v, v + 1) for v in range(n - 1)])
    return body.choose(level, Settings(**settings), weight, loop)


def test_the_stronger_edge_or_the_self_loop_by_hand():
    for body in (naive, steps):
        assert row(body, [0.1, 0.2, 0.3], [-math.inf] * 4) == [1, 2, 3, 2]
        # a self-loop wins only if it is stronger than every edge
        assert row(body, [0.1, 0.2, 0.3], [0.1, 0.21, 0.4, 0.0]) == [1, 1, 2, 2]
        # one of four would merge: on the way to a count they all do
        loops = [0.2, 0.3, 0.4, 0.0]
        assert row(body, [0.1, 0.2, 0.3], loops) == [0, 1, 2, 2]
        assert row(body, [0.1, 0.2, 0.3], loops, num_tokens=1) == [1, 2, 3, 2]
        # two of four: that is headway enough
        loops[1] = 0.2
        assert row(body, [0.1, 0.2, 0.3], loops, num_tokens=1) == [0, 2, 2, 2]


def test_of_equal_edges_all_choose_by_the_same_order():
    for body in (naive, steps):
        neighbour = row(body, [0.5] * 9, [-math.inf] * 10)
        rank = {(v, v + 1): naive.edge_priority(v, v + 1) for v in range(9)}
        for v in range(1, 9):
            left, right = rank[v - 1, v], rank[v, v + 1]
            assert neighbour[v] == (v - 1 if left > right else v + 1)
