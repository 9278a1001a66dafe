"""LayerScale: how much a branch adds to the residual stream, channel by channel."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spitgraph.checks import finite, integer

#: What every factor starts at where nothing is said: branches begin next to nothing, as in CaiT.
INIT_VALUES = 1e-5


class LayerScale(nn.Module):
    """A learned factor per channel (Touvron et al. 2021, *Going deeper with Image Transformers*).

    Args:
        dim: Number of channels.
        init_values: What every factor starts at.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    def __init__(self, dim: int, init_values: float = INIT_VALUES) -> None:
        super().__init__()
        dim, start = integer(dim, "dim"), finite(init_values, "init_values")
        self.gamma = nn.Parameter(torch.full((dim,), start))

    def forward(self, x: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows D"]:
        """The channels, scaled."""
        return x * self.gamma
