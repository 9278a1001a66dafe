"""Whole hierarchies: the plain operations as METHOD 2 written out, and that as the pixels say."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spitgraph.contraction import SIMILARITIES, RegionGraph, contract_graph, naive
from spitgraph.contraction.difference import pixels_of
from spitgraph.contraction.operator import image_graph
from spitgraph.contraction.steps import graph
from spitgraph.settings import Settings


def plain_parents(graph, settings):
    """Parent maps of each image of a batch."""
    hierarchy = contract_graph(graph, settings)
    maps = iter(hierarchy.parent.split(hierarchy.level_sizes))
    return [[next(maps).tolist() for _ in range(depth)] for depth in hierarchy.num_levels.tolist()]


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("compactness", [0.0, 0.1])
@pytest.mark.parametrize("wanted", [{"levels": 4}, {"num_tokens": 1}, {"num_tokens": 9}])
def test_a_batch_of_awkward_images(awkward_images, similarity, compactness, wanted):
    settings = Settings(similarity=similarity, compactness=compactness, **wanted)
    expected = [naive.contract(pixels_of(im, settings), settings) for im in awkward_images]
    assert plain_parents(image_graph(awkward_images, settings), settings) == expected


def batched(levels):
    """Level 0 of several images as one graph."""
    graphs = [graph(level) for level in levels]
    starts = [sum(g.num_regions for g in graphs[:i]) for i in range(len(graphs))]
    return RegionGraph(
        sums=torch.cat([g.sums for g in graphs], dim=1),
        size=torch.cat([g.size for g in graphs]),
        box=torch.cat([g.box for g in graphs], dim=1),
        edge_index=torch.cat([g.edge_index + s for g, s in zip(graphs, starts, strict=True)], 1),
        counts=[g.num_regions for g in graphs],
    )


@given(st.data(), st.integers(1, 3))
def test_batches_of_graphs(extensions, draw_graph, data, count):
    level, settings = draw_graph(data)
    levels = [level, *(draw_graph(data)[0] for _ in range(count - 1))]
    channels = len(level.sums[0])
    levels = [level for level in levels if len(level.sums[0]) == channels]
    try:
        expected = [naive.contract(level, settings) for level in levels]
    except ValueError:
        with pytest.raises(ValueError, match="unconnected parts"):
            plain_parents(batched(levels), settings)
    else:
        assert plain_parents(batched(levels), settings) == expected


def of(members, values):
    return [values[p] for p in members]


@given(st.data())
def test_levels_are_what_their_pixels_say(draw_graph, data):
    """Sums, sizes, boxes, edges and numbers, from the partition of the pixels alone."""
    pixels, settings = draw_graph(data)
    level, region = pixels, list(range(len(pixels.size)))
    while not naive.is_done(level, settings):
        before, (level, parent) = level, naive.contract_once(level, settings)
        region = [parent[r] for r in region]
        members = [[p for p, r in enumerate(region) if r == v] for v in range(len(level.size))]
        assert members == sorted(members)  # by their first pixels
        assert level.size == [len(own) for own in members]
        assert level.sums == [
            [sum(c) for c in zip(*of(own, pixels.sums), strict=True)] for own in members
        ]
        bounds = [list(zip(*of(own, pixels.box), strict=True)) for own in members]
        assert level.box == [(min(a), min(b), max(c), max(d)) for a, b, c, d in bounds]
        across = {tuple(sorted((region[u], region[v]))) for u, v in pixels.edges}
        assert level.edges == sorted((u, v) for u, v in across if u != v)
        if settings.num_tokens is not None:
            assert len(level.size) >= min(settings.num_tokens, len(before.size))
            if len(level.size) == len(before.size):
                return  # unconnected parts
