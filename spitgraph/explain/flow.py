"""Attention flow: how much could reach the class token from each token, edges being pipes."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from spitgraph.data import TokenData
from spitgraph.explain.attribution import Attribution
from spitgraph.explain.images import Scores, explained
from spitgraph.explain.layers import Layers, attention_layers
from spitgraph.extras import needs_extra
from spitgraph.nn import SPiT

#: Capacities become whole numbers: a capacity of 1 is so many.
UNIT = 2**28


def attention_flow(
    model: nn.Module,
    image: Any,
    target: Any = None,
    *,
    head_fusion: str = "mean",
    residual: float = 0.1,
) -> Attribution | list[Attribution]:
    """Attention flow: the maximum flow between the class token at the top and each input token.

    Nodes are the rows of the sequence at every layer; an edge of capacity A_l[i, j] leads from row
    i above layer l to row j below it, A as in `rollout`. A token's score is the maximum flow from
    the class token above the last layer to that token below the first. Where the head reads
    no class token but what is pooled of the tokens, the source feeds each of these, with 1/N.

    One flow problem a token, exact to 2⁻²⁸ a capacity. As rows add up to 1, no score is above 1 or
    above Σᵢ A_1[i, j]; in deep models of many tokens nearly every score *is* the smaller of the
    two, so that flow tells little but whom the first layer attends to.

    Args:
        model: A `SPiT`.
        image: One image, as `load_images` takes it, or its tokens; or a batch or list of them.
        target: See `rollout`; it does not change the scores.
        head_fusion: `"mean"` or `"max"` over heads.
        residual: r, the share of the residual connection, in [0, 1].

    Returns:
        Scores in [0, 1]; a list of these for a batch or list.

    Raises:
        NoAttentionError: The model tells no attention weights.
        ValueError: An argument is outside its range, or there is no such class.
        ImportError: SciPy is missing: `pip install "spitgraph[explain]"`.

    Source:
        Abnar and Zuidema, Quantifying Attention Flow in Transformers (2020).
    """

    def method(spit: SPiT, tokens: TokenData, wanted: int | None) -> Scores:
        layers = attention_layers(spit, tokens, wanted, head_fusion, residual)
        return Scores(maximum_flows(layers).to(layers.reader.device), layers.target)

    return explained(model, image, target, "attention_flow", method)


def maximum_flows(layers: Layers) -> Float[Tensor, " N"]:
    """Maximum flow from the reader above the last layer to each token below the first.

    Node 0 is the sink, then come the n rows above layer 1, those above layer 2, …, and the source.
    All problems share one network: the sink stands for the token asked about, so that only the
    capacities into it change.
    """
    with needs_extra("explain"):
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import maximum_flow

    reader = whole(layers.reader)
    first, *others = (whole(matrix) for matrix in layers.matrices)
    n, depth = len(reader), len(layers.matrices)
    rows = np.arange(n)
    source = 1 + n * depth
    below = [rows * 0] + [np.tile(1 + n * (layer - 1) + rows, n) for layer in range(1, depth)]
    # edges in the order of the nodes that they leave, as CSR has them
    columns = np.concatenate([*below, 1 + n * (depth - 1) + rows])
    lengths = np.concatenate([[0], *[[1 if not layer else n] * n for layer in range(depth)], [n]])
    starts = np.concatenate([[0], lengths.cumsum()])
    values = np.concatenate([rows * 0, *[matrix.ravel() for matrix in others], reader])
    values = values.astype(np.int32)
    flows = []
    for token in layers.tokens.tolist():
        values[:n] = first[:, token]
        network = csr_array((values, columns, starts), shape=(source + 1, source + 1))
        flows.append(maximum_flow(network, source, 0).flow_value / UNIT)
    return torch.tensor(flows, dtype=torch.float32)


def whole(capacities: Tensor) -> np.ndarray:
    """Capacities in whole numbers of 1 / `UNIT`."""
    return (capacities.double() * UNIT).round().to(torch.int32).cpu().numpy()
