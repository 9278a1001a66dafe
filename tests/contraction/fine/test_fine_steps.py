"""The fine rule step by step: plain operations and kernels as the loops of `naive` have it."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spitgraph.contraction.fine import naive, rule
from spitgraph.contraction.fine.graph import differences, pixel_graph, smoothed
from spitgraph.contraction.fine.hierarchy import channel_weights, image_hierarchy, partitions
from spitgraph.contraction.fine.refine import refine
from spitgraph.contraction.fine.select import choose, merge_costs

MERGE, REFINE = rule.MERGE_WEIGHTS, rule.REFINE_WEIGHTS


@st.composite
def features(draw, max_side=12):
    """Features in whole steps [3, H·W], of few shades or many; and H, W."""
    height, width = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    shades = draw(st.sampled_from([0, 1, 3, 4096]))
    rng = random.Random(draw(st.integers(0, 2**32)))
    pixels = [[rng.randint(0, shades) for _ in range(height * width)] for _ in range(3)]
    return torch.tensor(pixels) * (4096 // max(shades, 1)), height, width


def fused(features_q, height, width, num_regions, labels, room, is_shared):
    """`contract_image` of the kernels, with so many bytes to work in."""
    pytest.importorskip("numba")
    from spitgraph.contraction.fine.cpu.image import ALONE, contract_image
    from spitgraph.contraction.fine.cpu.together import TOGETHER

    return contract_image(
        features_q.int().numpy(),
        height,
        width,
        num_regions,
        np.array(MERGE),
        np.array(REFINE),
        labels,
        np.empty((2, height * width), np.int32),
        np.empty(room, np.uint8),
        TOGETHER if is_shared else ALONE,
    )


def test_evidence_by_hand():
    """Between two patches that differ by 5 in one channel: √((9·5)²)."""
    image = torch.zeros(1, 3, 8, dtype=torch.int64)
    image[:, :, 4:] = 5
    right = differences(image)[: 3 * 7].view(3, 7)
    assert right[1].tolist() == [0, 15, 30, 45, 30, 15, 0]
    pixels = image.flatten(1).t().tolist()
    assert naive.pixel_level(pixels, [4], 8).evidence[11, 12] == 45


@given(features())
def test_smoothed(drawn):
    """Means of 3 × 3 pixels, the middle one counted thrice; no ties are possible."""
    features_q, height, width = drawn
    features_q -= 2048  # Lab has negative numbers
    found = smoothed(features_q.view(3, height, width))
    assert found.flatten(1).t().tolist() == naive.smoothed(features_q.t().tolist(), width)
    framed = np.pad(features_q.view(3, height, width), ((0, 0), (1, 1), (1, 1)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(framed, (3, 3), axis=(1, 2))
    total = windows.sum(axis=(3, 4)) + 2 * framed[:, 1:-1, 1:-1]
    assert found.tolist() == np.rint(total / 11).tolist()


def test_pixels_move_where_that_lowers_the_variation():
    """From 100 pixels around 0 to 100 around 1000, if 100/101 · (1000 − x)² < 100/99 · x²."""
    level = naive.Level(sums=[[0], [100000]], squares=[0, 0], size=[100, 100])
    around = [0, 0, 0, 1, 1, 1, 0, 0]
    for feature, expected in ((497, 0), (498, 1)):
        assert naive.destination(level, around, 0, [feature], [rule.EVEN_WEIGHT]) == expected


def test_cost_by_hand():
    """Two regions of 4 and 12 pixels, 30 steps of lightness apart, along 2 sides of evidence 9."""
    level = naive.Level(
        sums=[[400, 0, 0], [1560, 0, 0]],
        squares=[4 * 4 * 100**2, 4 * 12 * 130**2],
        size=[4, 12],
        length={(0, 1): 2},
        evidence={(0, 1): 18},
    )
    expected = (
        (3.0**6 * 16 * (4 * 30.0**2 + rule.DISTANCE_FLOOR) ** 3 * (81 + rule.EVIDENCE_FLOOR))
        * 4**0.5
        / 2**1.5
        / rule.VARIANCE_FLOOR**0.5
    )
    assert naive.merge_cost(level, (0, 1), MERGE) == pytest.approx(expected, rel=1e-12)


@given(features())
def test_costs_and_choices(extensions, drawn):
    features_q, height, width = drawn
    level = naive.pixel_level(features_q.t().tolist(), MERGE, width)
    weights, _ = channel_weights(features_q, lab=True)
    graph = pixel_graph(features_q, weights, height, width)
    edges = list(zip(*graph.edge_index.tolist(), strict=True))
    expected = {edge: naive.merge_cost(level, edge, MERGE) for edge in edges}
    cost = merge_costs(graph, weights)
    assert cost.tolist() == [expected[edge] for edge in edges]
    n = height * width
    for num_pixels, target in ((n, 1), (100 * n, 1), (100 * n, n)):  # all; pairs; cheap pairs
        found = choose(graph, cost, num_pixels, target).tolist()
        assert found == naive.choose(expected, num_pixels, n, target)


@given(st.lists(st.integers(0, 9) | st.floats(0, 1e300), min_size=1), st.data())
def test_order_statistic(values, data):
    """Every rank, of ties too, and what is left of the values is what was there."""
    pytest.importorskip("numba")
    from spitgraph.contraction.fine.cpu import rounds

    rank = data.draw(st.integers(0, len(values) - 1))
    given_values = np.array(values, np.float64)
    assert rounds.order_statistic(given_values, rank) == sorted(values)[rank]
    assert sorted(given_values) == sorted(values)
    with pytest.MonkeyPatch.context() as patch:  # where splitting is given up
        patch.setattr(rounds, "_MOST_SPLITS", 0)
        in_python = getattr(rounds.order_statistic, "py_func", rounds.order_statistic)
        assert in_python(given_values, rank) == sorted(values)[rank]


@given(features(), st.integers(1, 144))
def test_partitions(extensions, drawn, num_regions):
    features_q, height, width = drawn
    num_regions = min(num_regions, height * width)
    pixels = features_q.t().tolist()
    kept = naive.partitions(pixels, width, num_regions, MERGE, REFINE)
    weights = channel_weights(features_q, lab=True)
    found = partitions(features_q, (height, width), num_regions, *weights)
    assert [label.flatten().tolist() for label in found] == kept
    if not kept:  # every pixel is a region
        return
    chain = naive.nested(kept, width)
    maps, counts = image_hierarchy(features_q, (height, width), num_regions, lab=True)
    assert counts == [height * width, *(max(label) + 1 for label in chain)]
    region = torch.arange(height * width)
    for parent, label in zip(maps, chain, strict=True):
        region = parent[region]
        assert region.tolist() == label


@given(
    features(max_side=20),
    st.integers(1, 400),
    st.sampled_from([0, 10**4, 10**5]),
    st.booleans(),
)
def test_kernels(drawn, num_regions, room, is_shared):
    """One thread or all together, whether the room suffices or not."""
    features_q, height, width = drawn
    if num_regions >= height * width:
        return
    labels = np.empty(height * width, np.uint32)
    upper, counts = fused(features_q, height, width, num_regions, labels, room, is_shared)
    maps, expected = image_hierarchy(features_q, (height, width), num_regions, lab=True)
    assert counts.tolist() == expected
    assert labels.tolist() == maps[0].tolist()
    assert upper.tolist() == torch.cat([maps[0][:0], *maps[1:]]).tolist()


@pytest.mark.parametrize("is_shared", [False, True])
def test_kernels_with_many_pairs(num_threads, is_shared):
    """More than are gone through at a time."""
    pytest.importorskip("numba")
    from spitgraph.contraction.fine.cpu.borders import SOME

    num_threads(3)
    height, width = 80, 90
    features_q = torch.randint(0, 4096, (3, height * width), generator=torch.manual_seed(0))
    labels = np.empty(height * width, np.uint32)
    upper, counts = fused(features_q, height, width, 20, labels, 10**6, is_shared)
    maps, expected = image_hierarchy(features_q, (height, width), 20, lab=True)
    assert counts[1] > 2 * SOME  # regions, of which each touches another
    assert counts.tolist() == expected
    assert labels.tolist() == maps[0].tolist()
    assert upper.tolist() == torch.cat(maps[1:]).tolist()


@given(features(), st.integers(1, 12), st.integers(1, 4))
def test_refinement(drawn, side, passes):
    """Of blocks of pixels: no region gets lost or falls apart, and what is better is taken."""
    features_q, height, width = drawn
    y, x = torch.arange(height)[:, None] // side, torch.arange(width) // side
    label = (y * (-(-width // side)) + x).expand(height, width)
    _, weights = channel_weights(features_q, lab=True)
    moved = refine(label, features_q.view(3, height, width), weights, passes)
    expected = naive.refine(
        label.flatten().tolist(), features_q.t().tolist(), width, REFINE, passes
    )
    assert moved.flatten().tolist() == expected


@pytest.mark.parametrize("is_shared", [False, True])
def test_refinement_in_bands(monkeypatch, num_threads, is_shared):
    """The kernels go through an image in bands of rows; what comes out does not show it."""
    pytest.importorskip("numba")
    from spitgraph.contraction.fine.cpu import batch
    from spitgraph.contraction.fine.cpu.refine import band_rows

    monkeypatch.setattr(batch, "LARGE_OF_FEW", 0 if is_shared else 10**6)
    num_threads(3)
    height, width = 21, 4000
    assert band_rows(height, width) < height
    features_q = torch.randint(0, 4096, (3, height, width), generator=torch.manual_seed(0))
    y, x = torch.arange(height)[:, None] // 8, torch.arange(width) // 8
    label = y * (width // 8) + x
    weights = torch.tensor(REFINE)
    # numbered from the other end, no share but the first has regions of its own
    for numbers in (label, label.max() - label):
        found = batch.refine_labels(numbers.numpy(), features_q.int().numpy(), weights.numpy(), 3)
        assert found.tolist() == refine(numbers, features_q, weights, 3).tolist()


@pytest.mark.parametrize("seed", [0, 1, 8, 12, 18, 20, 21, 50])
def test_refinement_of_what_never_settles(monkeypatch, num_threads, seed):
    """Noise, many passes: in most of these, lists of the marked pixels fill up amid a pass."""
    pytest.importorskip("numba")
    from spitgraph.contraction.fine.cpu import batch

    drawn, noise = random.Random(seed), torch.manual_seed(seed)
    height, width, side = drawn.randint(8, 60), drawn.randint(8, 60), drawn.randint(2, 12)
    shades = drawn.randint(1, 6)
    features_q = torch.randint(0, shades + 1, (3, height, width), generator=noise) * 700
    features_q[:, :, : drawn.randint(0, width)] = 700
    y, x = torch.arange(height)[:, None] // side, torch.arange(width) // side
    label, weights = y * (-(-width // side)) + x, torch.tensor(REFINE)
    expected = refine(label, features_q, weights, 25).tolist()
    num_threads(3)
    for limit in (10**6, 0):  # one thread, then all
        monkeypatch.setattr(batch, "LARGE_OF_FEW", limit)
        found = batch.refine_labels(label.numpy(), features_q.int().numpy(), weights.numpy(), 25)
        assert found.tolist() == expected


def test_simple_pixels_by_hand():
    """In a corner of a region, at its end, in its middle, on a bridge."""

    def bits(*names):
        around = ("up", "up right", "right", "down right", "down", "down left", "left", "up left")
        return sum(1 << around.index(name) for name in names)

    assert rule.SIMPLE[bits("up", "up right", "right")]
    assert rule.SIMPLE[bits("left")]
    assert rule.SIMPLE[bits("left", "up left", "up", "up right", "right")]
    assert not rule.SIMPLE[bits("left", "right")]  # a bridge
    assert not rule.SIMPLE[bits("up", "right")]  # connected by the pixel alone
    assert not rule.SIMPLE[0]
    assert not rule.SIMPLE[255]
