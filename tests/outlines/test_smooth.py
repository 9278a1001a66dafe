"""Smooth borders are curves that leave their points by little, and cross nothing."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.outlines import coverage
from helpers.strategies import label_maps
from spitgraph.outlines import region_map, rings_of, simplify, smooth, svg_text, trace
from spitgraph.outlines.smooth import neighbours
from spitgraph.outlines.triangles import rows_within

pytest.importorskip("shapely")


@st.composite
def borders(draw):
    """The traced borders of a label map, and the same simplified or not, and how far to smooth."""
    labels = draw(label_maps())
    if draw(st.booleans()):
        labels = labels.repeat_interleave(3, 0).repeat_interleave(3, 1)
    arcs = trace(labels)
    tolerance = draw(st.sampled_from([0, 1.0, 3.0]))
    return labels, arcs, simplify(arcs, tolerance), draw(st.sampled_from([0.2, 0.5, 5.0]))


@given(borders())
def test_every_point_is_in_one_region(borders):
    _, traced, arcs, reach = borders
    shares = smooth(arcs, reach)
    text = svg_text(arcs, rings_of(traced), None, shares=shares)
    count, found = coverage(text)
    assert (count == 1).all()
    assert (found == region_map(arcs, shares).numpy()).all()
    assert (coverage(text, step=16, offset=5)[0] == 1).all()  # not only at centres


@given(borders())
def test_curves_leave_their_points_by_no_more_than_the_reach(borders):
    _, _, arcs, reach = borders
    shares = smooth(arcs, reach)
    before, after, is_free = neighbours(arcs)
    begin, end = (arcs.points + shares[:, None] / 8 * (p - arcs.points) for p in (before, after))
    middle = (begin + 2 * arcs.points + end) / 4
    assert ((middle - arcs.points).norm(dim=1) <= reach + 1e-6).all()
    assert not shares[~is_free].any()
    assert not shares[arcs.on_the_frame[arcs.of_points]].any()


@given(label_maps())
def test_without_simplification_no_pixel_changes_sides(labels):
    labels = labels.repeat_interleave(2, 0).repeat_interleave(3, 1)
    arcs = trace(labels)
    shares = smooth(arcs, 0.5)
    assert torch.equal(region_map(arcs, shares), labels)


def test_a_pixel_becomes_round_and_a_large_square_does_not():
    labels = torch.zeros(30, 30, dtype=torch.int64)
    labels[1, 1] = 1
    labels[5:25, 5:25] = 2
    arcs = trace(labels)
    shares = smooth(arcs, 0.5)
    for region, share in ((1, 4), (2, 0)):
        (arc,) = (arcs.right == region).nonzero()
        assert (shares[arcs.start[arc] : arcs.start[arc + 1]] == share).all()


def test_a_curve_keeps_away_from_what_is_within_its_corner():
    # a pixel of region 2 sits in the corner of region 1 that a large reach would cut off
    labels = torch.zeros(12, 12, dtype=torch.int64)
    labels[2:, 2:] = 1
    labels[3, 3] = 2
    arcs = trace(labels)
    corner = (arcs.points == 2).all(1)
    shares = smooth(arcs, 50.0)
    assert shares[corner].tolist() == [1]  # with s = 4 and 2 the pixel would be cut off
    assert (coverage(svg_text(arcs, rings_of(arcs), None, shares=shares), 16, 5)[0] == 1).all()
    shares[corner] = 4
    with pytest.raises(AssertionError):  # the check sees what the guard prevents
        assert (coverage(svg_text(arcs, rings_of(arcs), None, shares=shares), 16, 5)[0] == 1).all()
    labels[3, 3] = 1
    assert smooth(trace(labels), 50.0)[(trace(labels).points == 2).all(1)].tolist() == [4]


def test_rows_of_a_triangle_by_hand():
    triangle = torch.tensor([[[0, 0], [32, 0], [0, 32]]])  # 4 pixels each way
    number, row, first, last = rows_within(triangle, offset=0)
    assert number.tolist() == [0] * 5 and row.tolist() == [0, 1, 2, 3, 4]
    assert first.tolist() == [0] * 5 and last.tolist() == [4, 3, 2, 1, 0]
    _, row, first, last = rows_within(triangle, offset=4)
    assert row.tolist() == [0, 1, 2, 3] and last.tolist() == [3, 2, 1, 0]
