"""Inspection says what is wrong with graphs that it cannot show."""

import copy

import pytest
import torch
from torch_geometric.data import Data

from helpers.pictures import noise
from spitgraph import InterpolationExtractor, SuperpixelTokenizer, inspection

FUNCTIONS = {
    "token_table": inspection.token_table,
    "count_parts": inspection.count_parts,
    "mean_colors": inspection.mean_colors,
    "overlay": inspection.overlay,
    "plot_graph": inspection.plot_graph,
    "plot_hierarchy": inspection.plot_hierarchy,
    "plot_statistics": inspection.plot_statistics,
    "plot_tree": inspection.plot_tree,
    "plot_values": lambda tokens: inspection.plot_values(tokens, "size"),
    "random_colors": inspection.random_colors,
    "token_statistics": inspection.token_statistics,
    "plot_comparison": lambda tokens: inspection.plot_comparison({"only": tokens}),
    "plot_token": lambda tokens: inspection.plot_token(tokens, 0),
}
#: What each reads beside the pixel map.
READS = {
    "token_table": {"size", "color", "bbox", "pos", "edge_index", "edge_attr"},
    "count_parts": {"size"},
    "mean_colors": {"color"},
    "overlay": {"pixels"},
    "plot_graph": {"size", "color", "pos", "edge_index", "edge_attr"},
    "plot_hierarchy": {"pixels", "hierarchy"},
    "plot_statistics": {"size", "bbox", "edge_index", "edge_attr"},
    "plot_tree": {"pixels", "hierarchy", "size"},
    "plot_values": {"size", "bbox", "edge_index", "edge_attr"},
    "random_colors": {"size", "edge_index"},
    "token_statistics": {"size", "bbox", "edge_index", "edge_attr"},
    "plot_comparison": {"pixels", "size", "color"},
    "plot_token": {"pixels", "x", "bbox"},
}


@pytest.fixture(scope="module")
def tokens():
    return InterpolationExtractor(bins=2)(SuperpixelTokenizer(2)(noise(8, 9)))


@pytest.fixture(params=FUNCTIONS)
def name(request):
    return request.param


def test_parts_of_a_graph(name, tokens):
    for nodes in (torch.arange(3), torch.arange(tokens.num_nodes).flip(0)):
        with pytest.raises(ValueError, match=r"pixel map \(cluster\) no longer belongs"):
            FUNCTIONS[name](tokens.subgraph(nodes))


def test_batches(name):
    batch = InterpolationExtractor(bins=2)(SuperpixelTokenizer(2)([noise(8, 9), noise(5, 5)]))
    with pytest.raises(ValueError, match="this is a batch of 2"):
        FUNCTIONS[name](batch)
    FUNCTIONS[name](batch[0])


def test_other_things(name, tokens, unchecked):
    for other in (Data(x=tokens.x), tokens.x, None):
        with pytest.raises(TypeError, match=f"TokenData of one image, got {type(other).__name__}"):
            FUNCTIONS[name](other)


def test_what_is_missing_is_named(name, tokens):
    for missing in READS[name] | {"cluster", "image_size"}:
        without = copy.copy(tokens)
        del without[missing]
        words = {"x": "no vectors", "pixels": "no pixels"}
        with pytest.raises(ValueError, match=words.get(missing, f"the tokens have no {missing} ")):
            FUNCTIONS[name](without)


def test_vectors_are_a_matrix(tokens, unchecked):
    with pytest.raises(TypeError, match="as tokens.x, got TokenData"):
        inspection.unpack_vectors(tokens)
    with pytest.raises(ValueError, match=r"as tokens.x, got \[20\]"):
        inspection.unpack_vectors(tokens.x[0])
