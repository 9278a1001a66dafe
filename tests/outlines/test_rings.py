"""Arcs make the rings of every region, none of which passes a corner twice."""

import pytest
import torch
from hypothesis import example, given
from scipy import ndimage

from helpers.labels import random_labels
from helpers.strategies import label_maps
from spitgraph.outlines import outer_rings, rings_of, trace
from spitgraph.outlines.rings import ring_points


def ring(arcs, rings, number):
    return [tuple(point) for point in ring_points(arcs, rings, number).tolist()]


def area(points):
    pairs = zip(points, points[1:] + points[:1], strict=True)
    return sum(x * v - u * y for (x, y), (u, v) in pairs) / 2


@given(label_maps())
def test_rings_enclose_what_their_regions_have(labels):
    arcs = trace(labels)
    rings = rings_of(arcs)
    areas = torch.zeros(int(labels.max()) + 1)
    for number, region in enumerate(rings.region.tolist()):
        enclosed = area(ring(arcs, rings, number))
        assert (enclosed < 0) == bool(rings.is_hole[number])
        areas[region] += enclosed
    assert torch.equal(areas, labels.flatten().bincount().float())


@given(label_maps())
@example(random_labels(20, 20, 2))
def test_no_ring_passes_a_corner_twice(labels):
    arcs = trace(labels)
    rings = rings_of(arcs)
    for number in range(len(rings)):
        points = ring(arcs, rings, number)
        assert len(set(points)) == len(points)


@given(label_maps())
def test_pieces_are_those_connected_by_sides(labels):
    arcs = trace(labels)
    rings = rings_of(arcs)
    outer = outer_rings(arcs, rings)
    assert not rings.is_hole[outer].any()
    assert torch.equal(rings.region[outer], rings.region)
    found = {}
    for number, owner in enumerate(outer.tolist()):
        found.setdefault(owner, []).append(area(ring(arcs, rings, number)))
    sizes = []
    for region in labels.unique():
        pieces, _ = ndimage.label(labels.numpy() == int(region))
        sizes += [
            (int(region), count)
            for count in torch.from_numpy(pieces).flatten().bincount()[1:].tolist()
        ]
    assert sorted((int(rings.region[o]), sum(areas)) for o, areas in found.items()) == sorted(sizes)


@given(label_maps())
def test_regions_merge_as_if_traced_anew(labels):
    parent = torch.tensor([0, 1, 1, 0, 2, 2])
    arcs, merged = trace(labels), trace(parent[labels])
    rings, expected = rings_of(arcs, parent), rings_of(merged)
    assert torch.equal(rings.region, expected.region)
    assert torch.equal(rings.is_hole, expected.is_hole)
    ours, theirs = (
        sorted(abs(area(ring(a, r, number))) for number in range(len(r)))
        for a, r in ((arcs, rings), (merged, expected))
    )
    assert ours == theirs


@pytest.mark.parametrize(
    "labels, rings_and_holes",
    [
        ([[0, 1], [1, 0]], {0: (2, 0), 1: (2, 0)}),  # pieces touch at a corner
        ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], {0: (1, 1), 1: (1, 0)}),
        ([[0, 0, 0], [0, 1, 0], [0, 0, 1]], {0: (1, 1), 1: (2, 0)}),  # a hole touches the border
        ([[0] * 4, [0, 1, 0, 0], [0, 0, 1, 0], [0] * 4], {0: (1, 2), 1: (2, 0)}),  # two holes
    ],
)
def test_rings_by_hand(labels, rings_and_holes):
    rings = rings_of(trace(torch.tensor(labels)))
    for region, (outer, holes) in rings_and_holes.items():
        assert rings.is_hole[rings.region == region].tolist() == [False] * outer + [True] * holes


def test_a_hole_belongs_to_the_piece_around_it():
    # region 0 around region 1 around a piece of region 0 that has a hole, and one that has none
    labels = torch.zeros(9, 12, dtype=torch.int64)
    labels[1:8, 1:8] = 1
    labels[2:7, 2:7] = 0
    labels[4, 4] = 2
    arcs = trace(labels)
    rings = rings_of(arcs)
    outer = outer_rings(arcs, rings)
    by_piece = {}
    for number in (rings.region == 0).nonzero().view(-1).tolist():
        by_piece.setdefault(int(outer[number]), []).append(area(ring(arcs, rings, number)))
    assert sorted(by_piece.values()) == [[25, -1], [108, -49]]
