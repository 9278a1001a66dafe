"""One row a token, with the numbers that the graph holds."""

import networkx
import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from spitgraph import from_partition
from spitgraph.inspection import count_parts, token_table

COLUMNS = [
    *("x", "y", "size", "x_min", "y_min", "x_max", "y_max"),
    *("red", "green", "blue", "degree", "border", "parts"),
]


def test_a_hand_worked_table():
    labels = torch.tensor([[0, 0, 1], [2, 0, 1]])
    image = torch.stack([torch.ones(2, 3), labels / 2, torch.zeros(2, 3)])
    table = token_table(from_partition(image, labels))
    assert table.columns.tolist() == COLUMNS
    assert table.index.name == "token"
    assert table["size"].tolist() == [3, 2, 1]
    assert table.loc[1, ["x", "y", "x_min", "y_min", "x_max", "y_max"]].tolist() == [
        *(2, 0.5),
        *(2, 0, 3, 2),
    ]
    assert table[["red", "green", "blue"]].values.tolist() == [[1, 0, 0], [1, 0.5, 0], [1, 1, 0]]
    assert table["degree"].tolist() == [2, 1, 1]
    assert table["border"].tolist() == [4, 2, 2]
    assert table["parts"].tolist() == [1, 1, 1]


def test_a_single_token_has_no_neighbours():
    table = token_table(from_partition(torch.rand(3, 4, 4), torch.zeros(4, 4, dtype=torch.int64)))
    assert table[["size", "degree", "border", "parts"]].values.tolist() == [[16, 0, 0, 1]]


@given(st.data())
def test_parts_are_the_connected_pieces_of_a_region(label_maps, data):
    labels = data.draw(label_maps)
    tokens = from_partition(torch.zeros(3, *labels.shape), labels)
    grid = networkx.grid_2d_graph(*labels.shape)
    cut = [(a, b) for a, b in grid.edges if labels[a] != labels[b]]
    grid.remove_edges_from(cut)
    expected = np.zeros(tokens.num_nodes, dtype=int)
    for piece in networkx.connected_components(grid):
        expected[tokens.seg[0][next(iter(piece))]] += 1
    assert count_parts(tokens).tolist() == expected.tolist()


def test_a_spiral_is_one_part():
    # long and thin: the slowest shape for a search that starts everywhere at once
    side = 41
    spiral = torch.zeros(side, side, dtype=torch.int64)
    y, x, dy, dx = 0, 0, 0, 1
    spiral[0, 0] = 1
    while True:
        for _ in range(2):
            ahead, beyond = (y + dy, x + dx), (y + 2 * dy, x + 2 * dx)
            inside = 0 <= ahead[0] < side and 0 <= ahead[1] < side
            clear = not (0 <= beyond[0] < side and 0 <= beyond[1] < side) or not spiral[beyond]
            if inside and clear and not spiral[ahead]:
                break
            dy, dx = dx, -dy
        else:
            break
        y, x = ahead
        spiral[y, x] = 1
    tokens = from_partition(torch.zeros(3, side, side), spiral)
    assert spiral.sum() > side * side / 3
    assert count_parts(tokens)[1] == 1
