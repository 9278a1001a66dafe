"""TokenCut: the object of an image, out of its tokens' features."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from spitgraph.batching import is_batched
from spitgraph.checks import boolean, number, one_of
from spitgraph.data import TokenData
from spitgraph.segment.affinity import all_alike, unit_vectors
from spitgraph.segment.eigen import SOUGHT, dense_eigenvector, sparse_eigenvector
from spitgraph.segment.filters import FILTERS
from spitgraph.segment.maps import feature_rows, images_of

SOLVERS = {
    "auto": "dense up to 1024 tokens, sparse from there on",
    "dense": "exact, memory by N²",
    "sparse": "iterative, memory by the number of pairs that are alike; needs SciPy",
}
#: Tokens up to which the dense solver takes less time.
MOST_DENSE = 1024
#: Entries of an eigenvector that differ by less, against its largest, are taken for equal.
SAME = 1e-7


@dataclass
class Cut:
    """An image cut in two by its tokens' features.

    Attributes:
        tokens: [N] bool, tokens of the foreground.
        eigenvector: [N] float32, y, positive at the seed; zeros where there is nothing to cut.
        seed: Token of the entry of largest magnitude; None where there is nothing to cut.
        soft: [N] float32 in [0, 1]: ½ + (y_i − ȳ) / (2 max|y − ȳ|) with ȳ the mean, at which y is
            split; on the side of the seed, but not connected with it, ½. It is above ½ exactly
            where `tokens` is true.
        seg: [H, W] int64, token of each pixel.
    """

    tokens: Bool[Tensor, " N"]
    eigenvector: Float32[Tensor, " N"]
    seed: int | None
    soft: Float32[Tensor, " N"]
    seg: Int64[Tensor, "H W"]

    @property
    def mask(self) -> Bool[Tensor, "H W"]:
        """Pixels of the foreground."""
        return self.tokens[self.seg]

    @property
    def map(self) -> Float32[Tensor, "H W"]:
        """`soft` of every pixel's token; above ½ exactly where `mask` is true."""
        return self.soft[self.seg]


def token_cut(
    features: Any,
    tokens: TokenData,
    *,
    threshold: float = 0.2,
    by_size: bool = False,
    refine: str | None = None,
    solver: str = "auto",
) -> Bool[Tensor, "_H _W"] | list[Tensor]:
    """Mask of the object that stands out from an image, by the features of its tokens.

        W_ij = 1 where cos(f_i, f_j) > θ, else 1e-5;  (D − W) y = λ D y,  D = diag(W 1)

    The second smallest eigenvector y is split at its mean. Foreground is the side of its entry of
    largest magnitude, and of that side what is connected with it over the region graph. Borders are
    those of the tokens: with superpixels, of the object.

    Tokens that are all alike, or a single one, have no foreground. Of entries of the same magnitude
    that of the first token counts; of a multiple eigenvalue, see `normalized_cut`.

    Args:
        features: [N, D] floats, of which only directions matter: final tokens, or keys of the last
            block (`token_features`).
        tokens: One image or a batch. An image's mask does not depend on others.
        threshold: θ, in [−1, 1].
        by_size: Whether a token counts as its s_i pixels would, each with its feature: W_ij is
            taken s_i s_j times, and the mean is that of pixels. Patches of one size are cut as
            ever; detailed areas, which have many superpixels, count for no more than others.
        refine: None; `"bilateral"`: the mask passes the solver of `bilateral`, and of what is above
            ½ the largest connected part stays, with its holes filled, as TokenCut has it;
            `"guided"`: what is above ½ after `guided`. Both read the tokens' pixels.
        solver: `"dense"`, `"sparse"` or `"auto"`, by the number of tokens.

    Returns:
        [H, W] bool; of a batch, a list of such.

    Raises:
        ValueError: Features are not [N, D] and finite, nodes are no longer the tokens of the image,
            or an option is outside its range.
        TypeError: An argument is of another type.
        ImportError: The extra `segment` is needed: by the sparse solver and by `"bilateral"`.

    Source: Wang et al. (2022), TokenCut, arXiv 2202.11539.
    """
    if refine is not None:
        one_of(refine, FILTERS, "refine")
    images = images_of(tokens)
    cuts = normalized_cut(features, tokens, threshold=threshold, by_size=by_size, solver=solver)
    masks = [
        cut.mask if refine is None else FILTERS[refine](cut.mask, image)
        for cut, image in zip(cuts if isinstance(cuts, list) else [cuts], images, strict=True)
    ]
    return masks if is_batched(tokens) else masks[0]


def normalized_cut(
    features: Any,
    tokens: TokenData,
    *,
    threshold: float = 0.2,
    by_size: bool = False,
    solver: str = "auto",
) -> Cut | list[Cut]:
    """The same cut with all that is known of it: token mask, eigenvector, soft map.

    It is computed in float64 on the CPU. Where the second smallest eigenvalue is a multiple one, y
    is the D-orthogonal projection of (1, ½, ⅓ …) on its eigenvectors.

    Args:
        features: [N, D], as in `token_cut`.
        tokens: One image or a batch.
        threshold: θ, in [−1, 1].
        by_size: As in `token_cut`.
        solver: As in `token_cut`.

    Returns:
        A `Cut`; of a batch, a list of such.

    Raises:
        ValueError, TypeError, ImportError: As `token_cut`.
    """
    theta = number(threshold, "threshold")
    if not -1 <= theta <= 1:
        raise ValueError(f"threshold must be in [-1, 1], a cosine, got {theta}")
    one_of(solver, SOLVERS, "solver")
    boolean(by_size, "by_size")
    images = images_of(tokens)
    cuts = [
        _cut(rows, image, theta, by_size, solver)
        for rows, image in zip(feature_rows(features, tokens), images, strict=True)
    ]
    return cuts if is_batched(tokens) else cuts[0]


def _cut(features: Tensor, tokens: TokenData, theta: float, by_size: bool, solver: str) -> Cut:
    """Of one image."""
    device, count = tokens.cluster.device, len(features)
    sizes = torch.ones(count, dtype=torch.float64)
    if by_size:
        sizes = tokens.size.cpu().double()
        sizes = sizes / sizes.mean()
    vector = _eigenvector(unit_vectors(features), theta, sizes, solver)
    magnitude = vector.abs()
    if not bool(magnitude.any()):
        none = torch.zeros(count, dtype=torch.bool, device=device)
        half = torch.full((count,), 0.5, dtype=torch.float32, device=device)
        return Cut(none, vector.float().to(device), None, half, tokens.seg[0])
    seed = int((magnitude >= (1 - SAME) * magnitude.max()).nonzero()[0])
    vector = vector * vector[seed].sign()
    above = vector - sizes @ vector / sizes.sum()
    scale = above.abs().max()
    side = above > SAME * scale
    members = component(seed, side, tokens.edge_index.cpu())
    soft = (0.5 + above / (2 * scale)).float()
    lowest = torch.nextafter(torch.tensor(0.5), torch.tensor(1.0))
    soft = torch.where(members, soft.clamp(min=lowest), soft.clamp(max=0.5))
    return Cut(members.to(device), vector.float().to(device), seed, soft.to(device), tokens.seg[0])


def _eigenvector(
    units: Float64[Tensor, "N D"], theta: float, sizes: Float64[Tensor, " N"], solver: str
) -> Float64[Tensor, " N"]:
    """The eigenvector y, or zeros where all tokens are alike."""
    count = len(units)
    if count == 1 or all_alike(units, theta):
        return torch.zeros(count, dtype=torch.float64)
    if count < 2 * SOUGHT or solver == "dense" or (solver == "auto" and count <= MOST_DENSE):
        return dense_eigenvector(units, theta, sizes)
    return sparse_eigenvector(units, theta, sizes)


def component(
    seed: int, members: Bool[Tensor, " N"], edge_index: Int64[Tensor, "2 E"]
) -> Bool[Tensor, " N"]:
    """The members that a path over members leads to from one of them."""
    source, target = edge_index[:, members[edge_index].all(dim=0)]
    reached = torch.zeros_like(members)
    reached[seed] = True
    size = 0
    while (grown := int(reached.sum())) > size:
        size = grown
        reached[target[reached[source]]] = True
    return reached
