"""What stands between the two layers of a perceptron."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn


class QuickGELU(nn.Module):
    """x·σ(1.702x), the GELU of OpenAI's CLIP (Hendrycks and Gimpel 2016, §2, approximation)."""

    def forward(self, x: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows D"]:
        """Every number on its own."""
        return x * torch.sigmoid(1.702 * x)


#: Activations by name.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "quick_gelu": QuickGELU,
    "gelu_tanh": partial(nn.GELU, approximate="tanh"),
}
