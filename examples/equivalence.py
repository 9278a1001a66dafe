"""Square patches, φ and one linear layer are the patch embedding of a plain ViT (METHOD 4.5).

With patches of side ρ = β on an image of ρ² × ρ² pixels there are as many patches as bins. The
colour rows of the linear layer γ are then the kernel of a strided convolution over φ's colours, and
its position rows, through the patches' position histograms, a learned table of positions: one row
a patch. Either set of weights can be carried over to the other.

    python examples/equivalence.py
"""

import torch
from torch import Tensor, nn

from spitgraph import PatchTokenizer
from spitgraph.extractors import InterpolationExtractor
from spitgraph.extractors.interpolation.layout import COLOUR
from spitgraph.pixels import adjust_contrast

SIDE = 16  # ρ = β: 256 patches on an image of 256 × 256 pixels
DIM = 192

tokenize = PatchTokenizer(SIDE)
extract = InterpolationExtractor(SIDE, gradient=False, sigma=0.025, mode="nearest")


class PatchEmbedding(nn.Module):
    """The embedding every ViT starts with: a strided convolution plus learned positions."""

    def __init__(self, side: int = SIDE, dim: int = DIM) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, kernel_size=side, stride=side)
        self.positions = nn.Parameter(torch.randn(side * side, dim))

    def forward(self, colour: Tensor) -> Tensor:
        return self.proj(colour[None])[0].flatten(1).t() + self.positions  # [ρ², dim]


def position_histograms(side: int = SIDE) -> Tensor:
    """φ's position histogram of every patch, [ρ² patches, ρ² bins] float64; invertible."""
    tokens = tokenize(torch.zeros(3, side * side, side * side))
    return extract(tokens).x[:, extract.layout["position"]].double()


@torch.no_grad()
def linear_from_patch_embedding(plain: PatchEmbedding) -> nn.Linear:
    """γ with the weights of a plain patch embedding."""
    dim, side = plain.proj.weight.shape[0], plain.proj.kernel_size[0]
    linear = nn.Linear(extract.out_channels, dim)
    for channel, kernel in zip(COLOUR, plain.proj.weight.flatten(2).unbind(1), strict=True):
        linear.weight[:, extract.layout[channel]] = kernel
    rows = torch.linalg.solve(position_histograms(side), plain.positions.double()).t()
    linear.weight[:, extract.layout["position"]] = rows.float()
    linear.bias.copy_(plain.proj.bias)
    return linear


@torch.no_grad()
def patch_embedding_from_linear(linear: nn.Linear, side: int = SIDE) -> PatchEmbedding:
    """A plain patch embedding with the weights of γ."""
    plain = PatchEmbedding(side, linear.out_features)
    for index, channel in enumerate(COLOUR):
        kernel = linear.weight[:, extract.layout[channel]]
        plain.proj.weight[:, index] = kernel.unflatten(1, (side, side))
    plain.proj.bias.copy_(linear.bias)
    rows = linear.weight[:, extract.layout["position"]].double()
    plain.positions.copy_(position_histograms(side) @ rows.t())
    return plain


@torch.no_grad()
def largest_difference(plain: PatchEmbedding, linear: nn.Linear, image: Tensor) -> float:
    """Between the two embeddings of one image, relative to the largest value."""
    expected = plain(adjust_contrast(image))
    return float((linear(extract(tokenize(image)).x) - expected).abs().max() / expected.abs().max())


if __name__ == "__main__":
    torch.manual_seed(0)
    image = torch.rand(3, SIDE * SIDE, SIDE * SIDE)
    plain = PatchEmbedding()
    linear = nn.Linear(extract.out_channels, DIM)
    there = largest_difference(plain, linear_from_patch_embedding(plain), image)
    back = largest_difference(patch_embedding_from_linear(linear), linear, image)
    print(f"patch embedding → φ, γ: largest relative difference {there:.1e}")
    print(f"φ, γ → patch embedding: largest relative difference {back:.1e}")
