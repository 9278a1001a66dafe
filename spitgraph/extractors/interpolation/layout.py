"""How a vector is laid out: bins outside, features inside (METHOD 4.4)."""

import math
from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Float
from torch import Tensor

COLOUR = ("red", "green", "blue")
#: What a bin holds, in this order; the last only with gradients.
FEATURES = (*COLOUR, "position", "gradient")


@dataclass(frozen=True)
class VectorLayout:
    """The vectors of an `InterpolationExtractor`: for each of β×β bins, row by row, its features.

    Attributes:
        bins: β.
        gradient: Whether a bin holds a gradient histogram too.
    """

    bins: int
    gradient: bool

    @classmethod
    def of_length(cls, length: int) -> "VectorLayout":
        """The layout of vectors of 4β² or 5β² numbers, which no two β share.

        Raises:
            ValueError: The length is neither.
        """
        for gradient in (False, True):
            bins = math.isqrt(length // (4 + gradient))
            if bins >= 2 and cls(bins, gradient).length == length:
                return cls(bins, gradient)
        raise ValueError(f"vectors must have 4β² or 5β² entries, got {length}")

    @property
    def features(self) -> tuple[str, ...]:
        """What a bin holds."""
        return FEATURES if self.gradient else FEATURES[:-1]

    @property
    def length(self) -> int:
        """D."""
        return len(self.features) * self.bins**2

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Where each feature lies, all bins of it."""
        step = len(self.features)
        return {
            name: slice(place, self.length - step + place + 1, step)
            for place, name in enumerate(self.features)
        }

    def lattice(self, x: Float[Tensor, "N D"], feature: str) -> Float[Tensor, "N bins bins"]:
        """One feature of some vectors, bin by bin."""
        return x[:, self.slices[feature]].unflatten(1, (self.bins, self.bins))
