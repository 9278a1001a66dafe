"""Simplified borders have fewer points, and keep regions, neighbours, junctions and the frame."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.labels import random_labels
from helpers.outlines import coverage, listed
from helpers.strategies import label_maps
from spitgraph.outlines import region_map, rings_of, simplify, svg_text, trace

shapely = pytest.importorskip("shapely")
TOLERANCES = st.sampled_from([0.6, 1.0, 2.5, 100.0])


def enlarged(labels, by=3):
    return labels.repeat_interleave(by, 0).repeat_interleave(by, 1)


@st.composite
def rough_maps(draw):
    """Label maps, some of larger pixels: with borders long enough to be simplified."""
    labels = draw(label_maps())
    return enlarged(labels) if draw(st.booleans()) else labels


@given(rough_maps(), TOLERANCES)
def test_every_point_is_in_one_region(labels, tolerance):
    arcs = trace(labels)
    simpler = simplify(arcs, tolerance)
    text = svg_text(simpler, rings_of(arcs), None)
    count, found = coverage(text)
    assert (count == 1).all()
    assert (found == region_map(simpler).numpy()).all()
    between = coverage(text, step=16, offset=5)[0]  # not only at centres
    assert (between == 1).all()


@given(rough_maps(), TOLERANCES)
def test_arcs_are_the_same_with_fewer_points(labels, tolerance):
    arcs = trace(labels)
    for (left, right, before), (new_left, new_right, after) in zip(
        listed(arcs), listed(simplify(arcs, tolerance)), strict=True
    ):
        assert (left, right) == (new_left, new_right)
        if before[0] == before[-1]:
            assert after[0] == after[-1] and len(after) >= 4
            turn = before.index(after[0])
            before = before[turn:] + before[1 : turn + 1]
        else:
            assert (before[0], before[-1]) == (after[0], after[-1])
        points = iter(before)
        assert all(point in points for point in after)  # in their order
        if left < 0:
            assert before == after  # the frame


@given(rough_maps(), TOLERANCES)
def test_regions_stay_what_they_are(labels, tolerance):
    """Polygons are valid, as many pieces and holes as before, and none has vanished."""
    from shapely import Polygon

    from spitgraph.outlines.rings import ring_points

    arcs = trace(labels)
    rings, simpler = rings_of(arcs), simplify(arcs, tolerance)
    for number in range(len(rings)):
        polygon = Polygon(ring_points(simpler, rings, number).tolist())
        assert polygon.is_valid and polygon.area > 0
        assert polygon.exterior.is_ccw != bool(rings.is_hole[number])


def test_no_tolerance_changes_nothing():
    arcs = trace(random_labels(9, 9, 3))
    assert simplify(arcs, 0) is arcs
    assert listed(simplify(arcs, 0.5)) == listed(arcs)  # triangles of stairs have ½ pixel


def test_stairs_become_a_line():
    labels = (torch.arange(20)[:, None] > torch.arange(20)).long()
    (stairs,) = (points for left, _, points in listed(simplify(trace(labels), 1)) if left == 0)
    assert len(stairs) <= 4
    assert all(abs(x - y) <= 1 for x, y in stairs)


@pytest.mark.parametrize(
    "tolerance, error",
    [(-1, ValueError), (math.nan, ValueError), (math.inf, ValueError), ("1", TypeError)],
)
def test_tolerances_that_are_none_are_refused(tolerance, error):
    with pytest.raises(error, match="tolerance must be"):
        simplify(trace(torch.zeros(2, 2, dtype=torch.int64)), tolerance)
