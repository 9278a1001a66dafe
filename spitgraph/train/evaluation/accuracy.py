"""Shares of pictures that are classified right, and how sure they are."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from spitgraph.extras import needs_extra


@dataclass(frozen=True)
class Accuracy:
    """So many right of so many pictures.

    Attributes:
        right: Pictures that are classified right.
        of: All of them, at least one.
    """

    right: int
    of: int

    @property
    def value(self) -> float:
        """The share in [0, 1]."""
        return self.right / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share (Wilson 1927).

        Pictures are taken for independent draws; what differs between seeds of training is not in
        it.
        """
        with needs_extra("train"):
            from scipy.stats import binomtest

        low, high = binomtest(self.right, self.of).proportion_ci(0.95, method="wilson")
        return float(low), float(high)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.3f} ({low:.3f}–{high:.3f})"


def accuracy(answers: Int64[Tensor, " n"], targets: Int64[Tensor, " n"]) -> Accuracy:
    """How many answers are the targets."""
    return Accuracy(int((answers == targets).sum()), len(targets))


def top_accuracy(
    logits: Float[Tensor, "n C"], targets: Int64[Tensor, " n"], k: int
) -> Accuracy | None:
    """How many targets are among the k classes of the highest logits; None where all would be.

    Args:
        logits: Of C classes.
        targets: 0 … C − 1.
        k: At least 1.
    """
    if k >= logits.shape[1]:
        return None
    with needs_extra("train"):
        from torchmetrics.functional.classification import multiclass_stat_scores

    scores = multiclass_stat_scores(
        logits, targets, num_classes=logits.shape[1], top_k=k, average="micro"
    )
    return Accuracy(int(scores[0]), len(targets))


def check_finite(values: Float[Tensor, "n D"], what: str) -> Float[Tensor, "n D"]:
    """The values, if none is NaN or infinite: neighbours and probes of such mean nothing."""
    bad = int((~torch.isfinite(values).all(dim=1)).sum())
    if bad:
        raise ValueError(f"{what} of {bad} of {len(values)} pictures are not finite")
    return values
