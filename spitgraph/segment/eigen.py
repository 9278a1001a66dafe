"""The second smallest generalised eigenvector of (D − W) y = λ D y, by two solvers.

With z = D^½ y it is the second largest eigenvector of the symmetric D^-½ W D^-½, whose largest one
is D^½ 1, of eigenvalue 1.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from spitgraph.extras import needs_extra
from spitgraph.segment.affinity import EPSILON, affinity, rows_alike

#: Eigenvalues that differ by less are taken for equal.
SAME = 1e-9
#: Eigenvectors that the sparse solver looks for, so that it finds equal eigenvalues.
SOUGHT = 6


def dense_eigenvector(
    units: Float64[Tensor, "N D"], threshold: float, sizes: Float64[Tensor, " N"]
) -> Float64[Tensor, " N"]:
    """By LAPACK from all of W: 8 N² bytes, and time by N³.

    Args:
        units: Feature vectors at length 1, at least two.
        threshold: θ.
        sizes: s, above 0: what each token counts; W_ij is taken s_i s_j times.

    Returns:
        y, of unknown sign. Of a multiple eigenvalue, the D-orthogonal projection of (1, ½, ⅓ …) on
        its eigenvectors: the same from any solver.
    """
    weight = affinity(units, threshold) * sizes[:, None] * sizes
    root = weight.sum(dim=1).sqrt()
    values, vectors = torch.linalg.eigh(weight / (root[:, None] * root))
    below = values[:-1] > values[-2] - SAME
    return _from_eigenspace(vectors[:, :-1][:, below], root)


def sparse_eigenvector(
    units: Float64[Tensor, "N D"], threshold: float, sizes: Float64[Tensor, " N"]
) -> Float64[Tensor, " N"]:
    """By ARPACK from the pairs that are alike and a constant: W is never made.

    12 bytes for each such pair.

    Args:
        units: Feature vectors at length 1, at least 16.
        threshold: θ.
        sizes: s, above 0: what each token counts; W_ij is taken s_i s_j times.

    Returns:
        y, as `dense_eigenvector` has it up to its sign.

    Raises:
        ImportError: SciPy is missing.
    """
    with needs_extra("segment"):
        import numpy as np
        from scipy.sparse import csr_array, vstack
        from scipy.sparse.linalg import LinearOperator, eigsh

    edges = vstack(
        [csr_array(rows.double().numpy()) for _, rows in rows_alike(units, threshold)], format="csr"
    )
    count, size = len(units), sizes.numpy()

    def weighted(y: np.ndarray) -> np.ndarray:
        """W y."""
        return size * ((1 - EPSILON) * (edges @ (size * y)) + EPSILON * (size @ y))

    root = np.sqrt(weighted(np.ones(count)))

    def multiply(z: np.ndarray) -> np.ndarray:
        return weighted(z.ravel() / root) / root

    # The largest eigenvector is known: moved to eigenvalue −1, it is in nobody's way.
    first = root / np.linalg.norm(root)
    operator = LinearOperator(
        (count, count),
        matvec=lambda z: multiply(z) - 2 * first * (first @ z.ravel()),
        dtype=np.float64,
    )
    start = _start(count).numpy() * root
    values, vectors = eigsh(operator, k=SOUGHT, which="LA", v0=start - first * (first @ start))
    same = values > values.max() - SAME
    if same.all():  # there may be more of them than were sought
        return dense_eigenvector(units, threshold, sizes)
    basis = np.linalg.qr(vectors[:, same])[0]
    return _from_eigenspace(torch.from_numpy(basis), torch.from_numpy(root))


def _start(count: int) -> Float64[Tensor, " N"]:
    return 1 / torch.arange(1, count + 1, dtype=torch.float64)


def _from_eigenspace(
    vectors: Float64[Tensor, "N m"], root: Float64[Tensor, " N"]
) -> Float64[Tensor, " N"]:
    """The y of orthonormal eigenvectors z of one eigenvalue."""
    if vectors.shape[1] > 1:
        vectors = vectors @ (vectors.T @ (_start(len(root)) * root))[:, None]
    return vectors[:, 0] / root
