"""Attention over images of unequal token counts: tokens see those of their own image only."""

from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor, nn

from spitgraph.checks import boolean, integer
from spitgraph.nn.initial import initialise_linear
from spitgraph.nn.packed_attention import Packing, attention, packed_attention

#: What a token attends to. Of rows [B, L, D]: all of its own row, or what a mask [B, 1 or heads,
#: 1 or L, L] leaves of it, boolean or added to the logits. Of packed rows [S, D]: its image.
Scope: TypeAlias = Packing | Tensor | None


class Attention(nn.Module):
    """Multi-head self-attention among the tokens of each image (METHOD 5).

    Args:
        dim: Width D.
        num_heads: Number of heads, which divides the width.
        qkv_bias: Whether queries, keys and values have a bias.
        qk_norm: Whether queries and keys pass a LayerNorm, per head.
        norm_eps: ε of these.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        qkv_bias: bool = False,
        qk_norm: bool = False,
        *,
        norm_eps: float = 1e-6,
    ) -> None:
        super().__init__()
        dim, num_heads = integer(dim, "dim"), integer(num_heads, "num_heads")
        self.num_heads = num_heads
        if dim % num_heads:
            raise ValueError(f"num_heads={num_heads} does not divide dim={dim}")
        qk_norm = boolean(qk_norm, "qk_norm")
        self.qkv = nn.Linear(dim, 3 * dim, bias=boolean(qkv_bias, "qkv_bias"))
        self.q_norm = nn.LayerNorm(dim // num_heads, eps=norm_eps) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(dim // num_heads, eps=norm_eps) if qk_norm else nn.Identity()
        self.proj = nn.Linear(dim, dim)
        initialise_linear(self.qkv)
        initialise_linear(self.proj)

    def forward(self, x: Float[Tensor, "*rows D"], scope: Scope = None) -> Float[Tensor, "*rows D"]:
        """Attend.

        Args:
            x: [B, L, D], or packed [S, D].
            scope: What each token attends to; a `Packing` for packed rows.
        """
        q, k, v = self.heads(self.qkv(x))
        if isinstance(scope, Packing):
            return self.proj(packed_attention(q, k, v, scope).flatten(-2))  # [S, heads, d]
        mask = scope.to(v.dtype) if scope is not None and scope.is_floating_point() else scope
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)  # [B, heads, L, d]
        attended = attention(q, k, v, mask)
        return self.proj(attended.transpose(1, 2).flatten(-2))

    def heads(
        self, qkv: Float[Tensor, "*rows E"]
    ) -> tuple[
        Float[Tensor, "*rows heads d"],
        Float[Tensor, "*rows heads d"],
        Float[Tensor, "*rows heads d"],
    ]:
        """Queries, keys and values of every head.

        Args:
            qkv: What the layer `qkv` gives, [*rows, 3 D].
        """
        q, k, v = qkv.unflatten(-1, (3, self.num_heads, -1)).unbind(-3)
        # Under autocast, norms are float32
        return self.q_norm(q).to(v.dtype), self.k_norm(k).to(v.dtype), v
