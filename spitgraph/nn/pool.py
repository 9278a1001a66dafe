"""What of the final tokens the head reads, where it is not the class token."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch_geometric.utils import softmax

from spitgraph.checks import integer
from spitgraph.nn.initial import initialise_linear
from spitgraph.nn.mlp import Mlp
from spitgraph.nn.sequences import TokenSequences

#: What stands for an image, by name.
POOLS = {
    "token": "the class token, normed",
    "mean": "the mean of the normed tokens",
    "mean_norm": "the mean of the tokens, normed afterwards",
    "attention": "what a learned query finds in the normed tokens",
}


class MeanPool(nn.Module):
    """Mean of an image's tokens, those beside them (class token, registers) left out.

    timm's `global_pool="avg"`; of an image without tokens, zero.

    Args:
        dim: Width D.
        norm_eps: ε of a LayerNorm of the mean, `fc_norm` in timm; None for none.
    """

    def __init__(self, dim: int, norm_eps: float | None = None) -> None:
        super().__init__()
        self.norm = nn.Identity() if norm_eps is None else nn.LayerNorm(dim, eps=norm_eps)

    def forward(self, sequences: TokenSequences) -> Float[Tensor, "B D"]:
        """One vector an image."""
        tokens, image = sequences.tokens, sequences.node_image
        exact = tokens.to(torch.promote_types(tokens.dtype, torch.float32))
        total = exact.new_zeros(sequences.num_images, tokens.shape[1])
        counts = sequences.offsets.diff() - sequences.num_prefix
        mean = total.index_add(0, image, exact) / counts.clamp(min=1)[:, None]
        return self.norm(mean.to(tokens.dtype))


class AttentionPool(nn.Module):
    """A learned query attends to an image's tokens, then a perceptron (SigLIP's "MAP" head).

    y = proj(attention(latent, tokens)), y ← y + mlp(norm(y)); Zhai et al. 2022, *Scaling Vision
    Transformers*, §3.2 (multihead attention pooling). Parameters are named as in timm. Class token
    and registers take part as the tokens do, as in timm; of no rows at all, attention finds zero.

    Args:
        dim: Width D.
        num_heads: Attention heads, which divide the width.
        mlp_ratio: Hidden width of the perceptron, in widths.
        activation: Of the perceptron, see `Mlp`.
        norm_eps: ε of the LayerNorm.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        *,
        activation: str = "gelu",
        norm_eps: float = 1e-6,
    ) -> None:
        super().__init__()
        dim, self.num_heads = integer(dim, "dim"), integer(num_heads, "num_heads")
        if dim % self.num_heads:
            raise ValueError(f"num_heads={num_heads} does not divide dim={dim}")
        self.latent = nn.Parameter(torch.empty(1, 1, dim))
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), activation)
        nn.init.trunc_normal_(self.latent, std=dim**-0.5)
        for layer in (self.q, self.kv, self.proj):
            initialise_linear(layer)

    def forward(self, sequences: TokenSequences) -> Float[Tensor, "B D"]:
        """One vector an image."""
        x, image, num_images = sequences.x, sequences.image, sequences.num_images
        q = self.q(self.latent[0, 0]).unflatten(-1, (self.num_heads, -1))  # [heads, d]
        k, v = self.kv(x).unflatten(-1, (2, self.num_heads, -1)).unbind(-3)  # [S, heads, d]
        exact = torch.promote_types(k.dtype, torch.float32)
        logits = (k.to(exact) * q.to(exact)).sum(-1) * q.shape[-1] ** -0.5
        weight = softmax(logits, image, num_nodes=num_images)  # [S, heads]
        found = weight.new_zeros(num_images, *v.shape[1:])
        found = found.index_add(0, image, weight[..., None] * v)
        y = self.proj(found.flatten(1).to(v.dtype))
        return y + self.mlp(self.norm(y))
