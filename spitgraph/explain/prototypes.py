"""Prototype PCA: where final tokens lie along the directions that tell classes and tokens apart."""

from typing import Any, SupportsIndex

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spitgraph.checks import integer
from spitgraph.data import TokenData
from spitgraph.explain.attribution import Attribution
from spitgraph.explain.images import Scores, chosen, explained
from spitgraph.models.wrappers import unwrapped
from spitgraph.nn import SPiT


def prototype_pca(
    model: nn.Module, image: Any, target: Any = None, *, components: SupportsIndex = 3
) -> Attribution | list[Attribution]:
    """Prototype PCA: a token's largest projection on the leading components (METHOD 7).

    The final tokens f_i, normed, and the class prototypes w_c, which are the rows of the head's
    weight, are made unit vectors and stacked. With their mean m and leading principal components
    v_1 … v_k, each turned so that (w_t − m)·v ≥ 0 for the target's prototype w_t, a token's score
    is the largest of (f_i − m)·v_1 … (f_i − m)·v_k.

    Args:
        model: A `SPiT` whose head is linear.
        image: One image, as `load_images` takes it, or its tokens; or a batch or list of them.
        target: A class, the predicted one by default; of several images, one for all or one each.
        components: k; fewer where the vectors span less.

    Returns:
        Scores in [−2, 2], zero where all vectors are alike; a list of these for a batch or list.

    Raises:
        ValueError: The head has no prototypes as wide as tokens, `components` is below 1, or there
            is no such class.
    """
    count = integer(components, "components")

    def method(spit: SPiT, tokens: TokenData, wanted: int | None) -> Scores:
        prototypes = prototypes_of(spit)
        with torch.no_grad():
            features = spit.forward_features(tokens)
            number = chosen(spit.head(features.class_token), wanted)
            scores = largest_projections(features.tokens, prototypes, number, count)
        return Scores(scores, number)

    return explained(model, image, target, "prototype_pca", method)


def prototypes_of(model: SPiT) -> Float[Tensor, "classes D"]:
    """The rows of the head's weight.

    Raises:
        ValueError: The head is no linear layer.
    """
    head = unwrapped(model.head)
    if not isinstance(head, nn.Linear):
        raise ValueError(
            "class prototypes are the rows of a linear head's weight, and this head is a "
            f"{type(head).__name__}"
        )
    return head.weight.detach()


def largest_projections(
    features: Float[Tensor, "N D"], prototypes: Float[Tensor, "classes D"], target: int, count: int
) -> Float[Tensor, " N"]:
    """The largest projection of each feature on the leading components; see `prototype_pca`."""
    stacked = torch.cat([features, prototypes.to(features.dtype)]).double()
    stacked = torch.nn.functional.normalize(stacked, dim=-1)
    centred = stacked - stacked.mean(dim=0)
    _, spread, directions = torch.linalg.svd(centred, full_matrices=False)
    directions = directions[:count][spread[:count] > 1e-9 * len(stacked)]
    if not len(directions):
        return features.new_zeros(len(features))
    projections = centred @ directions.T  # [N + classes, k]
    turned = torch.where(projections[len(features) + target] < 0, -1.0, 1.0)
    return (projections[: len(features)] * turned).amax(dim=-1).to(features.dtype)
