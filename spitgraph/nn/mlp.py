"""The perceptron of a transformer block."""

from jaxtyping import Float
from torch import Tensor, nn

from spitgraph.checks import integer, one_of
from spitgraph.nn.activation import ACTIVATIONS
from spitgraph.nn.initial import initialise_linear


class Mlp(nn.Module):
    """Two linear layers with a GELU between them (METHOD 5).

    Args:
        in_features: Width of input and output.
        hidden_features: Width between the layers.
        activation: `"gelu"`, exact; `"quick_gelu"`, x·σ(1.702x), of OpenAI's CLIP; or
            `"gelu_tanh"`, by the hyperbolic tangent, of SigLIP.

    Raises:
        ValueError, TypeError: A width is not a whole number of at least 1, or there is no such
            activation.
    """

    def __init__(self, in_features: int, hidden_features: int, activation: str = "gelu") -> None:
        super().__init__()
        in_features = integer(in_features, "in_features")
        hidden_features = integer(hidden_features, "hidden_features")
        self.fc1 = nn.Linear(in_features, hidden_features)
        self.act = ACTIVATIONS[one_of(activation, ACTIVATIONS, "activation")]()
        self.fc2 = nn.Linear(hidden_features, in_features)
        initialise_linear(self.fc1)
        initialise_linear(self.fc2)

    def forward(self, x: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows D"]:
        """Every row on its own."""
        return self.fc2(self.act(self.fc1(x)))
