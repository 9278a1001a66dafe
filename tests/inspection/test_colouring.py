"""Random colours: one a region, clearly different across every border, drawn from a generator."""

import pytest
import torch

from helpers.pictures import noise
from spitgraph import PatchTokenizer, SuperpixelTokenizer, from_partition
from spitgraph.inspection import random_colors
from spitgraph.inspection.colouring import CLEAR, differences, drawn_colors, palette


def colors_of_regions(tokens, picture):
    first = [int((tokens.cluster == token).nonzero()[0]) for token in range(tokens.num_nodes)]
    colors = picture.flatten(1)[:, first]
    assert torch.equal(colors[:, tokens.cluster], picture.flatten(1))  # one colour a region
    return [int((palette() == color).all(dim=1).nonzero()) for color in colors.t()]


@pytest.mark.parametrize("tokenizer", [PatchTokenizer(3), SuperpixelTokenizer(2)])
def test_neighbours_differ_clearly(tokenizer):
    tokens = tokenizer(noise(30, 40))
    colors = colors_of_regions(tokens, random_colors(tokens))
    across = [differences()[colors[u], colors[v]] for u, v in tokens.edge_index.t().tolist()]
    assert min(across) >= CLEAR
    assert len(set(colors)) > 8


def test_a_region_that_touches_all_others_differs_from_them():
    labels = torch.zeros(41, 41, dtype=torch.int64)
    labels[1::2, 1::2] = torch.arange(1, 401).view(20, 20)
    tokens = from_partition(noise(41, 41), labels)
    colors = colors_of_regions(tokens, random_colors(tokens))
    assert all(differences()[colors[0], color] >= CLEAR for color in colors[1:])


def test_a_complete_graph_takes_what_differs_most():
    every = torch.arange(len(palette()))
    u, v = torch.meshgrid(every, every, indexing="ij")
    edges = torch.stack([u[u != v], v[u != v]])
    colors = drawn_colors(len(every), edges, torch.Generator().manual_seed(0))
    assert colors.unique().numel() == len(palette())


def test_chance_is_the_callers():
    tokens = PatchTokenizer(3)(noise(30, 40))
    first, second = (
        random_colors(tokens, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)
    )
    again = random_colors(tokens, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first, again) and not torch.equal(first, second)
    assert torch.equal(random_colors(tokens), random_colors(tokens))


def test_seeds_are_not_generators(unchecked):
    with pytest.raises(TypeError, match="generator must be a torch.Generator"):
        random_colors(PatchTokenizer(3)(noise(6, 6)), generator=3)


def test_awkward_pictures(awkward_image):
    tokens = SuperpixelTokenizer(1)(awkward_image)
    assert random_colors(tokens).shape == awkward_image.shape
