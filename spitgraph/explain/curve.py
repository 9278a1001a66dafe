"""A class's probability while an image is taken away, or comes back."""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor


@dataclass(eq=False)
class Curve:
    """Probability of a class over the fraction of an image that was removed, or put back.

    Attributes:
        fractions: [k] float64, ascending from 0 to 1: shares of tokens or pixels, as they were.
        probabilities: [k] float64.
    """

    fractions: Float64[Tensor, " k"]
    probabilities: Float64[Tensor, " k"]

    @property
    def area(self) -> float:
        """Area under the curve by trapezoids, in [0, 1]: its mean over all fractions."""
        return float(torch.trapezoid(self.probabilities, self.fractions))
