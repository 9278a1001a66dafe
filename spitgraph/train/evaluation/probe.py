"""What a linear layer can read from features that stay as they are."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from spitgraph.extras import needs_extra

#: λ, from which one is chosen: the strongest first.
STRENGTHS = (10.0, 1.0, 0.1, 0.01, 0.001, 0.0001)
#: λ where there is nothing to choose it by.
MIDDLE = 0.1
#: Of so many pictures of a class, one is held out to choose λ by.
HELD_OUT_EVERY = 5
#: Steps of L-BFGS.
STEPS = 1000


class Probe(NamedTuple):
    """A linear classifier of features.

    Attributes:
        classifier: Of scikit-learn; its first step standardises.
        strength: λ.
    """

    classifier: Any
    strength: float

    def classes_of(self, features: Float[Tensor, "m D"]) -> Int64[Tensor, " m"]:
        """The likeliest class of each picture."""
        return torch.from_numpy(self.classifier.predict(features.double().cpu().numpy()))


def linear_probe(features: Float[Tensor, "n D"], labels: Int64[Tensor, " n"]) -> Probe:
    """Logistic regression: min over W, b of the mean cross-entropy + λ/2 ‖W‖², by L-BFGS.

    Features are standardised by their own mean and deviation. λ is the one whose classifier of four
    fifths of every class has the least cross-entropy on the last fifth (the second of every five
    pictures, so that a class of two counts); the strongest of equals. All pictures are then fitted
    with it. Nothing is drawn at random.

    Args:
        features: Of training pictures, frozen.
        labels: Their classes; some may have no picture, and are then never answered.

    Raises:
        ValueError: All pictures are of one class.
    """
    check_labels(labels)
    held = held_out(labels)
    strength = MIDDLE
    if held.any():
        losses = [
            cross_entropy(fitted(features[~held], labels[~held], each), features, labels, held)
            for each in STRENGTHS
        ]
        strength = STRENGTHS[losses.index(min(losses))]
    return Probe(fitted(features, labels, strength), strength)


def check_labels(labels: Int64[Tensor, " n"]) -> None:
    """Refuse pictures that are all of one class."""
    present = len(labels.unique())
    if present < 2:
        raise ValueError(
            f"a linear probe needs pictures of at least 2 classes, got {present}: "
            f"{len(labels)} pictures in all"
        )


def held_out(labels: Int64[Tensor, " n"]) -> Bool[Tensor, " n"]:
    """The second of every five pictures of a class."""
    return rank_in_class(labels) % HELD_OUT_EVERY == 1


def rank_in_class(labels: Int64[Tensor, " n"]) -> Int64[Tensor, " n"]:
    """How many pictures of the same class come before each."""
    order = labels.argsort(stable=True)
    counts = labels.bincount()
    start = (counts.cumsum(0) - counts)[labels[order]]
    ranks = torch.empty_like(labels)
    ranks[order] = torch.arange(len(labels), device=labels.device) - start
    return ranks


def fitted(features: Float[Tensor, "n D"], labels: Int64[Tensor, " n"], strength: float) -> Any:
    """The classifier of one λ."""
    with needs_extra("train"):
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

    # scikit-learn minimises C times the sum of cross-entropies + ‖W‖²/2
    regression = LogisticRegression(C=1 / (strength * len(labels)), max_iter=STEPS)
    model = make_pipeline(StandardScaler(), regression)
    return model.fit(features.double().cpu().numpy(), labels.cpu().numpy())


def cross_entropy(
    model: Any,
    features: Float[Tensor, "n D"],
    labels: Int64[Tensor, " n"],
    held: Bool[Tensor, " n"],
) -> float:
    """Mean cross-entropy of the pictures that were held out."""
    from sklearn.metrics import log_loss

    answers = model.predict_proba(features[held].double().cpu().numpy())
    return float(log_loss(labels[held].cpu().numpy(), answers, labels=model.classes_))
