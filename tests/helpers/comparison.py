"""When two results are the same."""

import torch


def assert_same(one, other):
    """Two graphs have the same attributes, bit for bit."""
    one, other = one.to_dict(), other.to_dict()
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert value.dtype == other[key].dtype, key
        assert torch.equal(value, other[key]), key


def assert_close(one, other, tolerance=1e-5):
    """Two tensors of one shape, nowhere further apart than the tolerance."""
    assert one.shape == other.shape
    difference = (one.detach().double() - other.detach().double()).abs().max()
    assert difference <= tolerance, f"differs by {difference:.2g}"
