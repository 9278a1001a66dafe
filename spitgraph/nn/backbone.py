"""f: the transformer, over sequences of unequal length."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from spitgraph.checks import boolean, finite, integer, one_of, positive, unit_interval
from spitgraph.nn.activation import ACTIVATIONS
from spitgraph.nn.attention import Scope
from spitgraph.nn.block import Block
from spitgraph.nn.graph_bias import GraphBias
from spitgraph.nn.layer_scale import INIT_VALUES
from spitgraph.nn.packed_attention import Packing
from spitgraph.nn.pool import POOLS, AttentionPool, MeanPool
from spitgraph.nn.sequences import TokenSequences
from spitgraph.nn.size_bias import log_relative_sizes

#: Ways through the blocks.
LAYOUTS = {
    "auto": "what is faster, by device and by how uneven the counts are",
    "padded": "one row an image, padded to the longest, with a mask",
    "packed": "no padding, attention image by image",
}
#: Share of padding from which rows on an accelerator are packed. On CPUs, any is too much.
ACCEPTED_PADDING = 0.2


class Backbone(nn.Module):
    """Pre-norm transformer blocks and a final LayerNorm (METHOD 5).

    Tokens attend to those of their own image and to nothing else; padding, where there is any,
    never takes part. Both layouts give the same numbers. Where all counts agree there is neither
    mask nor padding. README.md in this folder says what `"auto"` chooses, and why.

    Args:
        embed_dim: Width D.
        depth: Number of blocks.
        num_heads: Attention heads.
        mlp_ratio: Hidden width of the perceptrons, in widths.
        qkv_bias: Whether queries, keys and values have a bias.
        qk_norm: Whether queries and keys pass a LayerNorm, per head.
        init_values: What LayerScale starts at.
        drop_path: DropPath's probability in the last block; it grows linearly from 0 in the first.
        graph_bias: Whether attention logits get a bias by hop distance in the region graph.
        size_bias: Whether a token is attended to in proportion to its pixels, see
            `log_relative_sizes`.
        attention: `"auto"`, `"padded"` or `"packed"`.
        activation: Of the perceptrons, see `Mlp`.
        norm_pre: Whether there is a LayerNorm before the first block, as in CLIP.
        norm_eps: ε of all LayerNorms.
        pool: What stands for an image: `"token"`, the class token; `"mean"`, the mean of its final
            tokens; `"mean_norm"`, the same, normed afterwards in place of the tokens; or
            `"attention"`, see `AttentionPool`.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    def __init__(
        self,
        embed_dim: int,
        depth: int = 12,
        num_heads: int = 12,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = False,
        qk_norm: bool = False,
        *,
        init_values: float = INIT_VALUES,
        drop_path: float = 0.0,
        graph_bias: bool = False,
        size_bias: bool = False,
        attention: str = "auto",
        activation: str = "gelu",
        norm_pre: bool = False,
        norm_eps: float = 1e-6,
        pool: str = "token",
    ) -> None:
        super().__init__()
        self.embed_dim = integer(embed_dim, "embed_dim")
        self.num_heads = integer(num_heads, "num_heads")
        self.attention = one_of(attention, LAYOUTS, "attention")
        self.activation = one_of(activation, ACTIVATIONS, "activation")
        self.norm_eps = positive(norm_eps, "norm_eps")
        self.init_values = finite(init_values, "init_values")
        self.pooling = one_of(pool, POOLS, "pool")
        self.grad_checkpointing = False
        drop_path, depth = unit_interval(drop_path, "drop_path"), integer(depth, "depth")
        # whatever PyTorch's default device and dtype are
        rates = torch.linspace(0, drop_path, depth, device="cpu", dtype=torch.float64)
        self.blocks = nn.ModuleList(
            Block(
                self.embed_dim,
                self.num_heads,
                mlp_ratio,
                qkv_bias,
                qk_norm,
                self.init_values,
                rate,
                activation=self.activation,
                norm_eps=self.norm_eps,
            )
            for rate in rates.tolist()
        )
        has_bias = boolean(graph_bias, "graph_bias")
        self.graph_bias = GraphBias(self.num_heads) if has_bias else None
        self.size_bias = boolean(size_bias, "size_bias")
        self.norm_pre = self._layer_norm() if boolean(norm_pre, "norm_pre") else nn.Identity()
        self.norm = nn.Identity() if pool == "mean_norm" else self._layer_norm()
        self.pool = self._pool(mlp_ratio)

    def _layer_norm(self) -> nn.LayerNorm:
        return nn.LayerNorm(self.embed_dim, eps=self.norm_eps)

    def _pool(self, mlp_ratio: float) -> nn.Module | None:
        if self.pooling == "token":
            return None
        if self.pooling == "attention":
            options: dict[str, Any] = {"activation": self.activation, "norm_eps": self.norm_eps}
            return AttentionPool(self.embed_dim, self.num_heads, mlp_ratio, **options)
        norm_eps = self.norm_eps if self.pooling == "mean_norm" else None
        return MeanPool(self.embed_dim, norm_eps)

    def forward(
        self, sequences: TokenSequences, edge_index: Int64[Tensor, "2 E"] | None = None
    ) -> TokenSequences:
        """The final tokens, normed, with what stands for each image where that is pooled.

        Args:
            sequences: Embedded tokens.
            edge_index: The region graphs, between nodes of the batch; read by the hop bias.

        Raises:
            ValueError: The hop bias finds no `edge_index`, or the size bias no sizes.
        """
        if self.graph_bias is not None and edge_index is None:
            raise ValueError("the tokens have no edge_index, which the hop bias reads")
        final = self._final(sequences, edge_index)
        return final if self.pool is None else replace(final, pooled=self.pool(final))

    def _final(self, sequences: TokenSequences, edge_index: Tensor | None) -> TokenSequences:
        if torch.compiler.is_compiling():  # counts are no numbers then, but packing needs none
            return self._packed(sequences, edge_index, None)
        counts = sequences.counts
        if self.packs(counts, sequences.x.device):
            return self._packed(sequences, edge_index, counts)
        return self._padded(sequences, edge_index, counts)

    def packs(self, counts: Sequence[int], device: torch.device) -> bool:
        """Whether images of so many rows are packed rather than padded."""
        total, padded = sum(counts), len(counts) * max(counts)
        if total == padded or self.attention == "padded":
            return False
        accepted = 0 if device.type == "cpu" else ACCEPTED_PADDING
        return self.attention == "packed" or padded - total > accepted * padded

    def _packed(
        self, sequences: TokenSequences, edge_index: Tensor | None, counts: list[int] | None
    ) -> TokenSequences:
        bias = None
        if self.graph_bias is not None and edge_index is not None:
            bias = self.graph_bias.packed(sequences, edge_index)
        key_bias = log_relative_sizes(sequences) if self.size_bias else None
        packing = Packing(sequences.offsets, sequences.image, counts, bias, key_bias)
        return sequences.with_rows(self._blocks(sequences.x, packing))

    def _padded(
        self, sequences: TokenSequences, edge_index: Tensor | None, counts: list[int]
    ) -> TokenSequences:
        length = max(counts)
        if min(counts) == length:
            x = sequences.x.unflatten(0, (len(counts), length))  # [B, L, D]
            mask = self._mask(sequences, edge_index, length, None)
            return sequences.with_rows(self._blocks(x, mask).flatten(0, 1))
        x, is_token = sequences.padded(length)
        x = self._blocks(x, self._mask(sequences, edge_index, length, is_token))
        return sequences.with_rows(x[is_token])

    def _mask(
        self,
        sequences: TokenSequences,
        edge_index: Tensor | None,
        length: int,
        is_token: Bool[Tensor, "B L"] | None,
    ) -> Tensor | None:
        """What is added to padded logits, or else which keys are no padding, if any are."""
        bias = None
        if self.graph_bias is not None and edge_index is not None:
            bias = self.graph_bias.padded(sequences, edge_index, length)
        if not self.size_bias:
            return is_token[:, None, None] if bias is None and is_token is not None else bias
        keys = log_relative_sizes(sequences)
        if is_token is not None:
            keys = keys.new_full(is_token.shape, -torch.inf).masked_scatter(is_token, keys)
        keys = keys.view(-1, 1, 1, length)
        return keys if bias is None else bias + keys

    def _blocks(self, x: Float[Tensor, "*rows D"], scope: Scope) -> Float[Tensor, "*rows D"]:
        x = self.norm_pre(x)
        for block in self.blocks:
            if self.grad_checkpointing:
                x = checkpoint(block, x, scope, use_reentrant=False)
            else:
                x = block(x, scope)
        return self.norm(x)

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        shown = f"attention={self.attention!r}"
        if self.size_bias:
            shown += ", size_bias=True"
        return shown if self.pooling == "token" else f"{shown}, pool={self.pooling!r}"
