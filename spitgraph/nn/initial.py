"""How linear layers start out."""

from torch import nn


def initialise_linear(layer: nn.Linear) -> None:
    """Truncated normal weights of deviation 0.02, no bias, as vision transformers have them."""
    nn.init.trunc_normal_(layer.weight, std=0.02)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
