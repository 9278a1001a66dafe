"""LayerScale: how much a branch adds to the residual stream, channel by channel."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spitgraph.checks import integer


class LayerScale(nn.Module):
    """A learned factor per channel (Touvron et al. 2021, *Going deeper with Image Transformers*).

    Args:
        dim: Number of channels.
        init_values: What every factor starts at.
    """

    def __init__(self, dim: int, init_values: float = 1e-5) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((integer(dim, "dim"),), float(init_values)))

    def forward(self, x: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows D"]:
        """The channels, scaled."""
        return x * self.gamma
