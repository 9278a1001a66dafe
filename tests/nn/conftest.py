"""What the tests of the network share."""

import pytest
import torch

from helpers import comparison, models


@pytest.fixture(autouse=True)
def one_thread():
    """Tensors are tiny here: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def make_tokens():
    """`make_tokens(counts, seed)`: a batch of random token graphs."""
    return models.make_random_tokens


@pytest.fixture(scope="session")
def make_model():
    """`make_model(...)`: a SPiT without τ and φ whose parameters are all random, in eval mode."""
    return models.make_random_model


@pytest.fixture(scope="session")
def assert_close():
    """`assert_close(a, b)`: equal shapes, nowhere more than 1e-5 apart."""
    return comparison.assert_close
