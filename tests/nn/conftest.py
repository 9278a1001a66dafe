"""Small random token graphs and models."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch
from torch_geometric.utils import to_undirected

from spitgraph import TokenData
from spitgraph.nn import Backbone, SPiT, TokenEmbedder

FEATURES, WIDTH, CLASSES = 12, 16, 5
UNEVEN, EVEN = (7, 1, 12, 4), (6, 6, 6)


def _random_tokens(count, generator):
    edges = torch.randint(count, (2, count), generator=generator)
    edges = edges[:, edges[0] != edges[1]]
    return TokenData(
        x=torch.randn(count, FEATURES, generator=generator),
        edge_index=to_undirected(edges, num_nodes=count),
    )


@pytest.fixture(autouse=True)
def one_thread():
    """Tensors are tiny here: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_random_tokens(counts=UNEVEN, seed=0):
    """A batch of random token graphs of so many tokens."""
    generator = torch.Generator().manual_seed(seed)
    return Batch.from_data_list([_random_tokens(count, generator) for count in counts])


def make_random_model(*, depth=2, num_heads=4, token_budget=None, pe=(None, None), **options):
    """A SPiT without τ and φ, in eval mode; no parameter has a value where it might do nothing."""
    model = SPiT(
        nn.Identity(),
        nn.Identity(),
        TokenEmbedder(FEATURES, WIDTH, token_budget=token_budget, pe_name=pe[0], pe_dim=pe[1]),
        Backbone(WIDTH, depth, num_heads, **options),
        nn.Linear(WIDTH, CLASSES),
    )
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        around_one = name.endswith(("norm1.weight", "norm2.weight", "gamma"))
        parameter.data = around_one + (0.3 if parameter.dim() > 1 else 0.5) * noise
    return model.eval()


@pytest.fixture(scope="session")
def make_tokens():
    """`make_tokens(counts, seed)`: a batch of random token graphs."""
    return make_random_tokens


@pytest.fixture(scope="session")
def make_model():
    """`make_model(...)`: a SPiT without τ and φ whose parameters are all random, in eval mode."""
    return make_random_model


def _close(one, other, tolerance=1e-5):
    assert one.shape == other.shape
    difference = (one.detach().double() - other.detach().double()).abs().max()
    assert difference <= tolerance, f"differs by {difference:.2g}"


@pytest.fixture(scope="session")
def assert_close():
    """`assert_close(a, b)`: equal shapes, nowhere more than 1e-5 apart."""
    return _close
