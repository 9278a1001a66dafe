"""Weights of edges and self-loops: every body as METHOD 2.1–2.3 written out, and that by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spitgraph.contraction import naive
from spitgraph.contraction.naive import Level
from spitgraph.contraction.weights import square_root
from spitgraph.settings import Settings

UNIT = 2**20


@given(st.data())
def test_edge_weights(body, draw_level, data):
    level, settings = draw_level(data)
    assert body.edge_weights(level, settings) == naive.edge_weights(level, settings)


@given(st.data())
def test_self_loop_weights(extensions, body, draw_level, data):
    level, settings = draw_level(data)
    assert body.self_loop_weights(level, settings) == naive.self_loop_weights(level, settings)


def pair(body, similarity, compactness=0.0):
    """Weight between a region of 3×1 pixels at (0, 0) and the pixel right of it."""
    level = Level(
        sums=[[3 * UNIT, 0], [UNIT // 2, UNIT // 2]],
        size=[3, 1],
        box=[(0, 0, 3, 1), (3, 0, 4, 1)],
        edges=[(0, 1)],
        number=1,
    )
    return body.edge_weights(level, Settings(similarity=similarity, compactness=compactness))


def test_weights_by_hand(body):
    # (1, 0) and (½, ½): ‖…‖² = ½; sizes 3 and 1: 3·1/(3 + 1) = ¾
    assert pair(body, "distance") == [1 / (1 + 12 * 0.5)]
    assert pair(body, "ward") == [1 / (1 + 2 * 0.75 * 0.5)]
    [cosine] = pair(body, "cosine")
    assert cosine == pytest.approx((1 + math.sqrt(0.5)) / 2, rel=1e-15)
    # both fill a box of 4×1: δ = 4·4/5²
    assert pair(body, "distance", 1.0) == [0.64]
    assert pair(body, "distance", 0.25) == [0.25 * 0.64 + 0.75 * (1 / 7)]


def test_a_mean_of_zero_has_no_direction(body):
    level = Level([[0], [5]], [1, 2], [(0, 0, 1, 1), (1, 0, 3, 1)], [(0, 1)], number=1)
    assert body.edge_weights(level, Settings(similarity="cosine")) == [0.5]


def test_self_loops_by_hand(body):
    # sizes 1, 2, 3: mean 2, deviation √⅔; the pixel has no self-loop
    boxes = [(0, 0, 1, 1), (1, 0, 2, 2), (2, 0, 4, 2)]
    level = Level([[0]] * 3, [1, 2, 3], boxes, [(0, 1), (1, 2)], number=1)
    weights = body.self_loop_weights(level, Settings())
    assert weights == [-math.inf, 0.5, (1 + 0.75) / 2]
    weights = body.self_loop_weights(level, Settings(compactness=0.5))
    assert weights == pytest.approx([-math.inf, (8 / 9 + 0.5) / 2, (12 / 16 + 0.875) / 2])


def test_equal_regions_have_no_self_loops(body):
    level = Level([[0], [0]], [2, 2], [(0, 0, 2, 1), (0, 1, 2, 2)], [(0, 1)], number=1)
    assert body.self_loop_weights(level, Settings()) == [-math.inf] * 2


def test_square_roots_are_rounded_correctly():
    values = torch.rand(10_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert square_root(values).tolist() == [math.sqrt(value) for value in values.tolist()]
