"""A transformer block."""

from jaxtyping import Float
from torch import Tensor, nn

from spitgraph.checks import integer, positive
from spitgraph.nn.attention import Attention, Scope
from spitgraph.nn.drop_path import DropPath
from spitgraph.nn.layer_scale import INIT_VALUES, LayerScale
from spitgraph.nn.mlp import Mlp
from spitgraph.nn.packed_attention import Packing


class Block(nn.Module):
    """Attention and a perceptron, each normed before and scaled after (METHOD 5).

    x ← x + DropPath(LayerScale(attention(LayerNorm(x)))), and the same with the perceptron.

    Args:
        dim: Width D.
        num_heads: Attention heads.
        mlp_ratio: Hidden width of the perceptron, in widths.
        qkv_bias: Whether queries, keys and values have a bias.
        qk_norm: Whether queries and keys pass a LayerNorm, per head.
        init_values: What LayerScale starts at.
        drop_path: Probability, in training, that an image goes without a branch.
        activation: Of the perceptron, see `Mlp`.
        norm_eps: ε of all LayerNorms.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = False,
        qk_norm: bool = False,
        init_values: float = INIT_VALUES,
        drop_path: float = 0.0,
        *,
        activation: str = "gelu",
        norm_eps: float = 1e-6,
    ) -> None:
        super().__init__()
        dim = integer(dim, "dim")
        hidden = int(dim * positive(mlp_ratio, "mlp_ratio"))
        if hidden < 1:
            raise ValueError(f"mlp_ratio={mlp_ratio} leaves no hidden features of dim={dim}")
        norm_eps = positive(norm_eps, "norm_eps")
        self.norm1 = nn.LayerNorm(dim, eps=norm_eps)
        self.attn = Attention(dim, num_heads, qkv_bias, qk_norm, norm_eps=norm_eps)
        self.ls1 = LayerScale(dim, init_values)
        self.drop_path1 = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = Mlp(dim, hidden, activation)
        self.ls2 = LayerScale(dim, init_values)
        self.drop_path2 = DropPath(drop_path)

    def forward(self, x: Float[Tensor, "*rows D"], scope: Scope = None) -> Float[Tensor, "*rows D"]:
        """One block.

        Args:
            x: [B, L, D], or packed [S, D].
            scope: What each token attends to; a `Packing` for packed rows.
        """
        packing = scope if isinstance(scope, Packing) else None
        x = x + self.drop_path1(self.ls1(self.attn(self.norm1(x), scope)), packing)
        return x + self.drop_path2(self.ls2(self.mlp(self.norm2(x))), packing)
