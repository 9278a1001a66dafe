"""As if something that is installed were not."""

from contextlib import contextmanager

import pytest
import torch_geometric.typing

import spitgraph.extensions

EXTENSIONS = ("torch_scatter", "torch_cluster")
MISSING = [name for name in EXTENSIONS if spitgraph.extensions.extension(name) is None]


@contextmanager
def without_extensions():
    """As if neither torch-scatter nor torch-cluster were installed."""
    with pytest.MonkeyPatch.context() as patch:
        for name in EXTENSIONS:
            patch.setitem(spitgraph.extensions._found, name, None)
        # PyG's own use of it
        patch.setattr(torch_geometric.typing, "WITH_TORCH_SCATTER", False, raising=False)
        yield


def skip_without_extensions():
    if MISSING:
        pytest.skip(f"{' and '.join(MISSING)} not installed")
