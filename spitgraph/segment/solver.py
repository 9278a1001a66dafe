"""The fast bilateral solver, on the occupied vertices of a grid of position and colour."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from spitgraph.extras import needs_extra

if TYPE_CHECKING:
    import numpy as np
    import scipy.sparse

#: RGB → luma and the two chromas of JPEG (ITU-T T.871), their offset of 128 left out.
YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
#: Rounds of bistochastisation, which are enough, and of conjugate gradients at most.
ROUNDS, ITERATIONS = 10, 25
#: Residual at which conjugate gradients end, against the right-hand side; least preconditioner.
TOLERANCE, LEAST_DIAGONAL = 1e-5, 1e-5


class Grid(NamedTuple):
    """Pixels by cells of position, luma and chroma.

    Attributes:
        vertex: [P] int64, the cell of each pixel, 0 … n − 1.
        blur: [n, n], 2 for each dimension on the diagonal, 1 for neighbours in one of them.
    """

    vertex: Int64[Tensor, " P"]
    blur: "scipy.sparse.csr_array"


def solved(
    target: Float64[Tensor, " P"],
    confidence: float,
    cells: Int64[Tensor, "P d"],
    smoothness: float,
) -> Float64[Tensor, " P"]:
    """argmin_x λ/2 Σ_ij Ŵ_ij (x_i − x_j)² + c Σ_i (x_i − t_i)², x the same within a cell.

    Args:
        target: t.
        confidence: c.
        cells: The cell of each pixel in each dimension.
        smoothness: λ.

    Raises:
        ImportError: SciPy is missing.
    """
    with needs_extra("segment"):
        import numpy as np
        from scipy.sparse import diags_array
        from scipy.sparse.linalg import cg

    grid = grid_of(cells)
    pixels = np.bincount(grid.vertex).astype(np.float64)
    scale, mass = bistochastised(grid.blur, pixels)
    smooth = diags_array(mass) - diags_array(scale) @ grid.blur @ diags_array(scale)
    system = (smoothness * smooth + diags_array(confidence * pixels)).tocsr()
    wanted = np.bincount(grid.vertex, target.numpy())
    found, _ = cg(
        system,
        confidence * wanted,
        x0=wanted / pixels,
        rtol=TOLERANCE,
        maxiter=ITERATIONS,
        M=diags_array(1 / np.maximum(system.diagonal(), LEAST_DIAGONAL)),
    )
    return torch.from_numpy(found)[grid.vertex]


def bistochastised(
    blur: "scipy.sparse.csr_array", pixels: "np.ndarray"
) -> tuple["np.ndarray", "np.ndarray"]:
    """The n and m such that diag(n) B diag(n) has row sums m, nearly the pixels of each vertex."""
    import numpy as np

    scale = np.ones_like(pixels)
    for _ in range(ROUNDS):
        scale = np.sqrt(scale * pixels / (blur @ scale))
    return scale, scale * (blur @ scale)


def grid_of(cells: Int64[Tensor, "P d"]) -> Grid:
    """The occupied cells, and which of them are neighbours."""
    import numpy as np
    from scipy.sparse import coo_array, eye_array

    cells = cells - cells.amin(dim=0)
    sides = (cells.amax(dim=0) + 2).tolist()  # one free cell between rows, so that none wraps
    strides = torch.tensor([1, *np.cumprod(sides)[:-1].tolist()])
    keys, vertex = (cells * strides).sum(dim=1).unique(return_inverse=True)
    count, dimensions = len(keys), cells.shape[1]
    blur = 2.0 * dimensions * eye_array(count, format="csr")
    for stride in strides.tolist():
        place = torch.searchsorted(keys, keys + stride).clamp(max=count - 1)
        (first,) = (keys[place] == keys + stride).numpy().nonzero()
        next_to = coo_array((np.ones(len(first)), (first, place.numpy()[first])), (count, count))
        blur = blur + next_to + next_to.T
    return Grid(vertex, blur.tocsr())


def color_cells(
    guide: Float64[Tensor, "3 H W"], sigma_spatial: float, sigma_luma: float, sigma_chroma: float
) -> Int64[Tensor, "P 5"]:
    """Cell of each pixel: column, row, luma, chromas; colours in steps of 8 bits."""
    height, width = guide.shape[1:]
    luma, blue, red = torch.tensor(YCC, dtype=torch.float64) @ (guide * 255).flatten(1)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    parts = [
        x.flatten() / sigma_spatial,
        y.flatten() / sigma_spatial,
        luma / sigma_luma,
        (blue + 128) / sigma_chroma,
        (red + 128) / sigma_chroma,
    ]
    return torch.stack([part.floor().long() for part in parts], dim=1)
