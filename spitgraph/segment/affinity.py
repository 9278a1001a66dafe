"""Which tokens are alike: the weights of TokenCut's graph."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

#: Weight between tokens that are not alike: it keeps the graph connected.
EPSILON = 1e-5
#: Rows of cosines that are looked at together where not all fit.
ROWS = 1024


def unit_vectors(features: Tensor) -> Float64[Tensor, "N D"]:
    """Features at length 1, in float64 on the CPU, where every device gets the same cosines.

    A vector of zeros stays one: its cosine with any is 0.
    """
    plain = features.detach().to("cpu", torch.float64)
    largest = plain.abs().amax(dim=1, keepdim=True)  # no square overflows, none vanishes
    plain = plain / torch.where(largest > 0, largest, 1)
    length = plain.norm(dim=1, keepdim=True)
    return plain / torch.where(length > 0, length, 1)


def alike(
    units: Float64[Tensor, "N D"], threshold: float, rows: slice = slice(None)
) -> Bool[Tensor, "R N"]:
    """Whether cos(f_i, f_j) > θ, for some tokens i and all j.

    A token's cosine with itself is 1, whatever rounding says.
    """
    of_rows = units[rows]
    cosine = of_rows @ units.T
    place = torch.arange(len(units))[rows]
    cosine[torch.arange(len(of_rows)), place] = of_rows.any(dim=1).double()
    return cosine > threshold


def affinity(units: Float64[Tensor, "N D"], threshold: float) -> Float64[Tensor, "N N"]:
    """W_ij = 1 where cos(f_i, f_j) > θ, and 1e-5 elsewhere."""
    return alike(units, threshold).double().clamp(min=EPSILON)


def rows_alike(
    units: Float64[Tensor, "N D"], threshold: float
) -> Iterator[tuple[int, Bool[Tensor, "_R N"]]]:
    """First row, and whether pairs are alike, some rows at a time."""
    for first in range(0, len(units), ROWS):
        yield first, alike(units, threshold, slice(first, first + ROWS))


def all_alike(units: Float64[Tensor, "N D"], threshold: float) -> bool:
    """Whether W tells no pair from another: all tokens are alike, or none is, not even itself."""
    every = all(bool(rows.all()) for _, rows in rows_alike(units, threshold))
    return every or not any(bool(rows.any()) for _, rows in rows_alike(units, threshold))
