"""Attention rollout, and the attention of a single layer."""

from typing import Any, SupportsIndex

from jaxtyping import Float
from torch import Tensor, nn

from spitgraph.checks import integer
from spitgraph.data import TokenData
from spitgraph.explain.attribution import Attribution
from spitgraph.explain.images import Scores, explained
from spitgraph.explain.layers import Layers, attention_layers
from spitgraph.nn import SPiT


def rollout(
    model: nn.Module,
    image: Any,
    target: Any = None,
    *,
    head_fusion: str = "mean",
    residual: float = 0.1,
) -> Attribution | list[Attribution]:
    """Attention rollout: where the class token's attention comes from, through all layers.

    A score is the token's entry in the class token's row of A_L ⋯ A_2 A_1, with
    A = (1 − r)·attention + r·I, rows renormalised (METHOD 7). Where the head reads no class token
    but what is pooled of the tokens, the mean of their rows takes its place. The target does not
    change the scores: attention is the same for all classes.

    Args:
        model: A `SPiT`.
        image: One image, as `load_images` takes it, or its tokens; or a batch or list of them.
        target: A class, the predicted one by default; of several images, one for all or one each.
        head_fusion: `"mean"` or `"max"` over heads.
        residual: r, the share of the residual connection, in [0, 1].

    Returns:
        Non-negative scores, at most 1 in sum: the rest is the class token's own. A list of these
        for a batch or list.

    Raises:
        NoAttentionError: The model tells no attention weights.
        ValueError: An argument is outside its range, or there is no such class.

    Source:
        Abnar and Zuidema, Quantifying Attention Flow in Transformers (2020), with r = ½.
    """

    def method(spit: SPiT, tokens: TokenData, wanted: int | None) -> Scores:
        layers = attention_layers(spit, tokens, wanted, head_fusion, residual)
        return Scores(rolled_out(layers).index_select(0, layers.tokens), layers.target)

    return explained(model, image, target, "rollout", method)


def rolled_out(layers: Layers) -> Float[Tensor, " n"]:
    """The reader's row of the product of all layers, from the last to the first."""
    row = layers.reader
    for matrix in reversed(layers.matrices):
        row = row @ matrix
    return row


def attention(
    model: nn.Module,
    image: Any,
    target: Any = None,
    *,
    layer: SupportsIndex = -1,
    head_fusion: str = "mean",
) -> Attribution | list[Attribution]:
    """Plain attention: what the class token takes from each token in one layer.

    Args:
        model: A `SPiT`.
        image: See `rollout`.
        target: See `rollout`; it does not change the scores.
        layer: Which one, −1 for the last.
        head_fusion: `"mean"` or `"max"` over heads, of which rows are renormalised.

    Returns:
        Non-negative scores, at most 1 in sum; see `rollout`.

    Raises:
        NoAttentionError: The model tells no attention weights.
        ValueError: An argument is outside its range, or there is no such layer or class.
    """
    number = integer(layer, "layer", minimum=None)

    def method(spit: SPiT, tokens: TokenData, wanted: int | None) -> Scores:
        layers = attention_layers(spit, tokens, wanted, head_fusion, residual=0.0)
        depth = len(layers.matrices)
        if not -depth <= number < depth:
            raise ValueError(f"layer must be in {-depth} … {depth - 1}, got {number}")
        row = layers.reader @ layers.matrices[number]
        return Scores(row.index_select(0, layers.tokens), layers.target)

    return explained(model, image, target, "attention", method)
