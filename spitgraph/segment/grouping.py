"""Parts of an image, by the features of its tokens and without labels."""

from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from spitgraph.checks import integer, one_of
from spitgraph.data import TokenData
from spitgraph.extras import needs_extra
from spitgraph.hierarchy import renumbered_by_first
from spitgraph.segment.affinity import unit_vectors
from spitgraph.segment.maps import feature_rows

METHODS = {
    "spectral": "normalised cuts of cosines, those below 0 taken for 0",
    "kmeans": "k-means of directions",
}
#: Starts of k-means, of which the best counts.
STARTS = 10
#: Least affinity: it keeps the graph connected.
EPSILON = 1e-5


def group(
    features: Any,
    tokens: TokenData,
    k: int,
    *,
    method: str = "spectral",
    generator: torch.Generator | None = None,
) -> Int64[Tensor, " N"]:
    """Tokens put into k groups by their features: parts, found without supervision.

    `"spectral"`: of the affinities max(cos(f_i, f_j), 0), the first k eigenvectors of the
    normalised Laplacian, discretised by a pivoted QR factorisation; `"kmeans"`: f_i / ‖f_i‖ to the
    nearest of k means, the best of 10 starts. Groups may lie scattered over the image.

    Args:
        features: [N, D] floats, of which only directions matter.
        tokens: One image or a batch, of which each image is grouped by itself.
        k: How many groups, at least 1. An image with fewer distinct directions has as many.
        method: `"spectral"` or `"kmeans"`.
        generator: What starts draw from; without one, always the same.

    Returns:
        [N], 0 … k − 1 in the order of each image's first tokens; `to_map` makes maps of them.

    Raises:
        ValueError: Features are not [N, D] and finite, nodes are no longer the tokens of the image,
            or k is below 1.
        TypeError: An argument is of another type.
        ImportError: scikit-learn is missing (extra `segment`).

    Source: Shi & Malik (2000); Damle, Minden & Ying (2019).
    """
    k = integer(k, "k")
    one_of(method, METHODS, "method")
    seed = 0
    if generator is not None:
        seed = int(torch.randint(2**31 - 1, (), generator=generator, device=generator.device))
    labels = [
        _group(unit_vectors(rows), k, method, seed) for rows in feature_rows(features, tokens)
    ]
    return torch.cat(labels).to(features.device)


def _group(units: Float64[Tensor, "N D"], k: int, method: str, seed: int) -> Int64[Tensor, " N"]:
    """Of one image."""
    kind = units.unique(dim=0, return_inverse=True)[1]
    k = min(k, int(kind.max()) + 1)
    if k == 1:
        return torch.zeros_like(kind)
    if k == int(kind.max()) + 1:  # nothing to decide
        return renumbered_by_first(kind)
    with needs_extra("segment"):
        from sklearn.cluster import KMeans, SpectralClustering
    if method == "kmeans":
        found = KMeans(k, n_init=STARTS, random_state=seed).fit_predict(units.numpy())
    else:
        cosine = (units @ units.T).clamp(min=EPSILON)
        found = SpectralClustering(
            k, affinity="precomputed", assign_labels="cluster_qr", random_state=seed
        ).fit_predict(((cosine + cosine.T) / 2).numpy())
    return renumbered_by_first(torch.from_numpy(found).long())
