"""Every border is traced once, from junction to junction, as loops find it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.labels import random_labels
from helpers.outlines import listed, naive_arcs
from helpers.strategies import label_maps
from spitgraph.outlines import OUTSIDE, region_map, trace

EAST_WEST = [[0, 1]]
ISLAND = [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
CHECKERBOARD = [[0, 1], [1, 0]]


@given(label_maps())
def test_arcs_are_those_of_loops(labels):
    assert sorted(listed(trace(labels))) == sorted(naive_arcs(labels))


@pytest.mark.parametrize(
    "labels",
    [
        torch.zeros(1, 1, dtype=torch.int64),
        torch.arange(7)[None],
        torch.arange(7)[:, None],
        (torch.arange(9)[:, None] + torch.arange(8)) % 2,
        torch.arange(12).view(3, 4),
        random_labels(30, 40, 3),
        # a spiral: a single long arc
        torch.tensor(
            [[0, 0, 0, 0, 0], [1, 1, 1, 1, 0], [0, 0, 0, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
        ),
    ],
    ids=["pixel", "row", "column", "checkerboard", "pixels", "noise", "spiral"],
)
def test_awkward_maps_too(labels):
    assert sorted(listed(trace(labels))) == sorted(naive_arcs(labels))
    assert torch.equal(region_map(trace(labels)), labels)


def test_a_border_by_hand():
    assert sorted(listed(trace(torch.tensor(EAST_WEST)))) == [
        (OUTSIDE, 0, ((1, 1), (0, 1), (0, 0), (1, 0))),
        (OUTSIDE, 1, ((1, 0), (2, 0), (2, 1), (1, 1))),
        (0, 1, ((1, 1), (1, 0))),
    ]


def test_a_closed_border_begins_at_the_leftmost_of_its_topmost_corners():
    frame, island = sorted(listed(trace(torch.tensor(ISLAND))))
    assert frame == (OUTSIDE, 0, ((0, 0), (3, 0), (3, 3), (0, 3), (0, 0)))
    assert island == (0, 1, ((1, 1), (2, 1), (2, 2), (1, 2), (1, 1)))


def test_corners_at_which_regions_meet_diagonally_are_junctions():
    arcs = trace(torch.tensor(CHECKERBOARD))
    ends = [points[side] for _, _, points in listed(arcs) for side in (0, -1)]
    assert len(arcs) == 8 and ends.count((1, 1)) == 4


@given(label_maps(), st.sampled_from([torch.uint8, torch.int16, torch.int64]))
def test_the_type_of_labels_does_not_matter(labels, dtype):
    expected = listed(trace(labels))
    assert listed(trace(labels.to(dtype))) == expected
    assert listed(trace(labels.to(dtype).numpy())) == expected


def test_nothing_is_written_to_the_labels():
    labels = random_labels(6, 7, 3)
    before = labels.clone()
    trace(labels)
    assert torch.equal(labels, before)


@pytest.mark.parametrize(
    "labels, error, message",
    [
        (torch.zeros(2, 2), TypeError, "integers [H, W], got torch.float32"),
        ([[0, 1]], TypeError, "integers [H, W], got list"),
        (torch.zeros(1, 2, 2, dtype=torch.int64), ValueError, "got [1, 2, 2]"),
        (torch.zeros(0, 2, dtype=torch.int64), ValueError, "got [0, 2]"),
        (torch.tensor([[0, -3]]), ValueError, "≥ 0, got -3"),
        (np.ma.masked_array([[0, 1]], [[True, False]]), ValueError, "masked array"),
    ],
)
def test_what_is_no_label_map_is_refused(labels, error, message):
    with pytest.raises(error) as raised:
        trace(labels)
    assert message in str(raised.value)
