"""Label maps: random ones, their numbering, whether their regions hang together."""

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .pictures import seeded


def renumbered(labels):
    """Labels 0 … N − 1 in the order of the old ones, without gaps, in the same shape."""
    return labels.unique(return_inverse=True)[1]


def random_labels(height, width, regions, seed=0):
    """Up to so many regions, in pieces all over the image [H, W]: their boxes overlap."""
    return renumbered(torch.randint(regions, (height, width), generator=seeded(seed)))


def components(num_nodes, u, v):
    """How many connected parts a graph with edges u – v has, and the part of every node."""
    graph = coo_array((np.ones(len(u)), (u, v)), [num_nodes] * 2)
    return connected_components(graph, directed=False)
