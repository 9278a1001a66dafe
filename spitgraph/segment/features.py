"""Features of a model's tokens: what leaves a block, or the queries, keys and values inside it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, SupportsIndex

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spitgraph.checks import instance, integer, one_of
from spitgraph.data import TokenData
from spitgraph.nn import SPiT
from spitgraph.nn.sequences import TokenSequences
from spitgraph.pixel_map import stored

KINDS = {
    "tokens": "what leaves the block, after the final LayerNorm",
    "queries": "of all heads, one after the other",
    "keys": "the same",
    "values": "the same",
}


def token_features(
    model: SPiT, tokens: TokenData, kind: str = "tokens", *, layer: SupportsIndex = -1
) -> Float[Tensor, "N D"]:
    """A feature vector of every token, from inside a model.

    Args:
        model: Outside training, where a token budget would leave tokens out.
        tokens: One image or a batch, as of `model.tokenize`.
        kind: `"tokens"`: what leaves the block, normed by the model's final LayerNorm (of the last
            block, `forward_features(tokens).tokens`); `"queries"`, `"keys"`, `"values"`: of the
            block's attention, the heads one after the other, as they enter it.
        layer: Which block, from 0, or from −1 backwards.

    Returns:
        [N, D]; gradients are those of the model.

    Raises:
        ValueError: There is no such kind or block, or a token budget applies.
        TypeError: An argument is of another type.
    """
    instance(model, SPiT, "model", "a SPiT")
    one_of(kind, KINDS, "kind")
    depth = len(model.backbone.blocks)
    place = integer(layer, "layer", minimum=None)
    if not -depth <= place < depth:
        raise ValueError(f"layer must be in {-depth} … {depth - 1}, got {place}")
    block: Any = model.backbone.blocks[place]
    with ExitStack() as hooks:
        sequences = hooks.enter_context(captured(model.embedder, lambda output: output))
        rows = hooks.enter_context(_captured_rows(block, kind))
        model.forward_features(tokens)
    if sequences[0].kept is not None:
        raise ValueError("a token budget leaves tokens without features: call model.eval()")
    features = token_rows(rows[0], sequences[0])
    return model.backbone.norm(features) if kind == "tokens" else features


def colour_features(tokens: TokenData) -> Float[Tensor, "N 3"]:
    """Mean colours of tokens less that of their image: what tells tokens apart without a model.

    An object is seldom what stands out by its colour: on photographs of horses, masks by them are
    of a third of the IoU that a pretrained ViT's features give.

    Args:
        tokens: One image, with its pixels.

    Raises:
        ValueError: The pixels were dropped.
    """
    instance(tokens, TokenData, "tokens", "a TokenData")
    return tokens.color - stored(tokens, "pixels").mean(dim=0)


@contextmanager
def captured(module: nn.Module, of: Callable[[Any], Any]) -> Iterator[list[Any]]:
    """A list that gets something of what the module returns, each time, until the end of `with`."""
    found: list[Any] = []

    def hook(module: nn.Module, inputs: tuple, output: Any) -> None:
        found.append(of(output))

    handle = module.register_forward_hook(hook)
    try:
        yield found
    finally:
        handle.remove()


def _captured_rows(block: Any, kind: str) -> Any:
    """What `captured` gives of a block: [B, L, D], or packed [S, D]."""
    attention: Any = block.attn
    if kind == "tokens":
        return captured(block, lambda output: output)
    if kind == "values":
        return captured(attention.qkv, lambda output: output.chunk(3, dim=-1)[2])
    norm = attention.q_norm if kind == "queries" else attention.k_norm
    return captured(norm, lambda output: output.flatten(-2))  # [*rows, heads, d]


def token_rows(rows: Float[Tensor, "*rows D"], sequences: TokenSequences) -> Float[Tensor, "N D"]:
    """The tokens' own of the rows that a block works on, whichever way they are laid out."""
    if rows.dim() == 3:  # an image a row, padded where counts differ
        length = torch.arange(rows.shape[1], device=rows.device)
        rows = rows[length < sequences.offsets.diff()[:, None]]
    return sequences.with_rows(rows).tokens
