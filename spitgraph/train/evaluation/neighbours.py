"""What a picture's nearest neighbours in feature space say it is."""

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from spitgraph.checks import integer
from spitgraph.extras import needs_extra

#: T of the votes' weights.
TEMPERATURE = 0.07


def neighbour_classes(
    train: Float[Tensor, "n D"],
    labels: Int64[Tensor, " n"],
    features: Float[Tensor, "m D"],
    k: int,
) -> Int64[Tensor, " m"]:
    """The class that the k nearest training pictures vote for, each by exp(cos / T), T = 0.07.

    As in DINO (Caron et al. 2021, *Emerging properties in self-supervised vision transformers*,
    section 4.1). Of classes with equal votes, the first.

    Args:
        train: Features of training pictures.
        labels: Their classes.
        features: Features of other pictures.
        k: How many vote, at most n.

    Raises:
        ValueError: There are fewer training pictures.
    """
    if integer(k, "k") > len(train):
        raise ValueError(f"{k} neighbours were asked for, and there are {len(train)} pictures")
    with needs_extra("train"):
        from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(k, metric="cosine", weights=weights_of, algorithm="brute")
    model.fit(train.double().cpu().numpy(), labels.cpu().numpy())
    return torch.from_numpy(model.predict(features.double().cpu().numpy()))


def weights_of(distances: Any) -> Any:
    """exp(cos / T) of arrays of 1 − cos, up to a factor that all have."""
    import numpy as np

    return np.exp(-np.asarray(distances) / TEMPERATURE)
