"""One matrix a layer: what each token takes from each other, itself included."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from spitgraph.checks import one_of, unit_interval
from spitgraph.data import TokenData
from spitgraph.explain.images import chosen
from spitgraph.explain.recording import recorded_attention
from spitgraph.nn import SPiT, TokenSequences

#: How the heads of a layer become one matrix.
FUSIONS = {
    "mean": lambda weights: weights.mean(dim=0),
    "max": lambda weights: weights.amax(dim=0),
}


class Layers(NamedTuple):
    """What one image's tokens take from each other, layer by layer.

    Attributes:
        matrices: Of every layer, [n, n], rows adding up to 1.
        reader: [n], the rows that the model's answer is read from, adding up to 1: the class
            token's, or all tokens' alike in a model whose head reads what is pooled of them.
        tokens: [N] int64, the rows of the tokens, in node order.
        target: The class asked for, or the predicted one.
    """

    matrices: list[Float[Tensor, "n n"]]
    reader: Float[Tensor, " n"]
    tokens: Tensor
    target: int


def attention_layers(
    model: SPiT, tokens: TokenData, target: int | None, head_fusion: str, residual: float
) -> Layers:
    """A = (1 − r)·attention + r·I of every layer, heads fused and rows renormalised (METHOD 7).

    Args:
        model: The model, in evaluation mode.
        tokens: One image's tokens.
        target: A class, or None.
        head_fusion: `"mean"` or `"max"`.
        residual: r, the share of the residual connection, in [0, 1].
    """
    fuse = FUSIONS[one_of(head_fusion, FUSIONS, "head_fusion")]
    residual = unit_interval(residual, "residual")
    with torch.no_grad(), recorded_attention(model, fuse) as record:
        target = chosen(model.forward_tokens(tokens), target)
    matrices = [with_residual(images[0], residual) for images in record.layers]
    return Layers(matrices, reader_of(model, record.rows), record.rows.node_rows, target)


def with_residual(weights: Float[Tensor, "n n"], residual: float) -> Float[Tensor, "n n"]:
    """(1 − r)·weights + r·I, rows renormalised."""
    mixed = (1 - residual) * weights
    mixed.diagonal().add_(residual)
    return mixed / mixed.sum(dim=-1, keepdim=True)


def reader_of(model: SPiT, sequences: TokenSequences) -> Float[Tensor, " n"]:
    """Weights of the rows that the answer is read from; see `Layers`."""
    rows = sequences.x.new_zeros(len(sequences.x), dtype=torch.float32)
    pooled = getattr(model.backbone, "pooling", "token") != "token"
    if sequences.num_prefix and not pooled:
        rows[0] = 1
    else:
        rows[sequences.node_rows] = 1 / len(sequences.node_rows)
    return rows
