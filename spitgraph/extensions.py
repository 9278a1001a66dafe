"""The one door to the compiled extensions torch-scatter and torch-cluster.

Every function here has two bodies: the compiled one where its package is installed, and plain
PyTorch. Both give the same bits: sums are over integers, and extremes do not depend on the order.
`torch.compile` sees the latter only: the extensions tell it nothing of shapes.
"""

import importlib
from types import ModuleType

import torch
from jaxtyping import Float64, Int64, Shaped
from torch import Tensor


def optional_module(name: str) -> ModuleType | None:
    """The module, or None where it is missing or was not built for what else is installed."""
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError):  # the last: built for another CUDA
        return None


#: Those that were asked for: importing takes a third of a second, and fused kernels need none.
_found: dict[str, ModuleType | None] = {}


def extension(name: str) -> ModuleType | None:
    """The compiled extension, imported when first asked for; None while `torch.compile` traces."""
    if torch.compiler.is_compiling():
        return None
    if name not in _found:
        _found[name] = optional_module(name)
    return _found[name]


def scatter_sum(
    src: Int64[Tensor, "*C n"], index: Int64[Tensor, " n"], num_segments: int
) -> Int64[Tensor, "*C m"]:
    """Sum of each segment's entries, along the last dimension."""
    if (torch_scatter := extension("torch_scatter")) is not None:
        return torch_scatter.scatter_sum(src, index.expand_as(src), dim=-1, dim_size=num_segments)
    out = src.new_zeros(*src.shape[:-1], num_segments)
    return out.scatter_add_(-1, index.expand_as(src), src)


def scatter_max(
    src: Shaped[Tensor, "*C n"], index: Int64[Tensor, " n"], out: Shaped[Tensor, "*C m"]
) -> Shaped[Tensor, "*C m"]:
    """Raise `out` to each segment's largest entry, in place, along the last dimension."""
    if (torch_scatter := extension("torch_scatter")) is not None:
        torch_scatter.scatter_max(src, index.expand_as(src), dim=-1, out=out)
        return out
    return out.scatter_reduce_(-1, index.expand_as(src), src, "amax")


def scatter_min(
    src: Shaped[Tensor, "*C n"], index: Int64[Tensor, " n"], out: Shaped[Tensor, "*C m"]
) -> Shaped[Tensor, "*C m"]:
    """Lower `out` to each segment's smallest entry, in place, along the last dimension."""
    if (torch_scatter := extension("torch_scatter")) is not None:
        torch_scatter.scatter_min(src, index.expand_as(src), dim=-1, out=out)
        return out
    return out.scatter_reduce_(-1, index.expand_as(src), src, "amin")


def nearest_seed(
    position: Float64[Tensor, "n 2"], seed: Float64[Tensor, "m 2"]
) -> Int64[Tensor, " n"]:
    """Index of the seed nearest to each position; of equally near ones, the first."""
    if (torch_cluster := extension("torch_cluster")) is not None:
        return torch_cluster.nearest(position, seed)
    nearest = []
    for rows in position.split(max(1, 2**22 // len(seed))):  # bounds the distance matrix
        dx = rows[:, :1] - seed[:, 0]
        dy = rows[:, 1:] - seed[:, 1]
        nearest.append((dx * dx + dy * dy).argmin(dim=1))
    return torch.cat(nearest)
