"""The graph of an image's pixels is the 4-neighbour grid."""

import hypothesis.strategies as st
import networkx as nx
import pytest
import torch
from hypothesis import given
from torch_geometric.utils import to_networkx

from spitgraph.grid import flatten_pixels, grid_graph, pixel_edges, pixel_positions

sides = st.integers(1, 9)


@given(height=sides, width=sides)
def test_edges_join_4_neighbours_once_smaller_first(height, width):
    expected = {
        (y * width + x, v * width + u)
        for y in range(height)
        for x in range(width)
        for v, u in ((y, x + 1), (y + 1, x))
        if v < height and u < width
    }
    edges = pixel_edges(height, width)
    assert edges.dtype == torch.int64
    assert edges.shape == (2, height * (width - 1) + (height - 1) * width)
    assert set(zip(*edges.tolist(), strict=True)) == expected


def test_positions_are_x_y_row_by_row():
    assert pixel_positions(2, 3).tolist() == [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]]


def test_pixels_are_flattened_row_by_row():
    image = torch.arange(3 * 2 * 4).float().view(3, 2, 4)
    pixels = flatten_pixels(image)
    assert pixels.is_contiguous()
    for y in range(2):
        for x in range(4):
            assert pixels[y * 4 + x].tolist() == image[:, y, x].tolist()


def test_grid_graph_is_a_pyg_graph_of_the_image(awkward_image):
    _, height, width = awkward_image.shape
    data = grid_graph(awkward_image)
    data.validate(raise_on_error=True)
    assert data.num_nodes == height * width
    assert torch.equal(data.x, flatten_pixels(awkward_image))
    assert torch.equal(data.pixels, data.x)
    assert data.image_size.tolist() == [[height, width]]
    assert data.pos.dtype == torch.float32
    assert data.pos.tolist() == pixel_positions(height, width).tolist()
    assert data.is_undirected() and data.is_coalesced() and not data.has_self_loops()
    grid = nx.grid_2d_graph(height, width)
    ours = nx.relabel_nodes(
        to_networkx(data, to_undirected=True), {i: divmod(i, width) for i in range(height * width)}
    )
    assert nx.utils.graphs_equal(ours, grid)


def test_changing_x_leaves_the_picture_alone(awkward_image):
    data = grid_graph(awkward_image)
    data.x[:] = 2
    assert torch.equal(data.pixels, flatten_pixels(awkward_image))


@pytest.mark.parametrize("attribute", ["x", "pixels"])
def test_gradients_reach_the_image(attribute):
    image = torch.rand(3, 4, 5).requires_grad_()
    (grid_graph(image)[attribute].square().sum() / 2).backward()
    assert torch.equal(image.grad, image.detach())
