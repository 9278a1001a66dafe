"""Regions in colours that tell neighbours apart."""

import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch_geometric.utils import degree, scatter

from spitgraph.checks import instance
from spitgraph.data import TokenData
from spitgraph.inspection.overlay import seg_of
from spitgraph.pixel_map import stored

#: Tol's "muted" and "light" schemes (SRON/EPS/TN/09-002), made for the colour-blind.
PALETTE = (
    *("CC6677", "332288", "DDCC77", "117733", "88CCEE", "882255", "44AA99", "999933", "AA4499"),
    *("77AADD", "EE8866", "EEDD88", "FFAABB", "99DDFF", "44BB99", "BBCC33", "AAAA00"),
)
#: Linear RGB as seen without red, and without green cones (Machado, Oliveira & Fernandes 2009).
COLOUR_BLIND = (
    (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
)
#: A difference in Lab that neighbours should have at least; more is not better.
CLEAR = 25.0
#: What lots add: enough to choose between colours that differ alike.
TIE = 1e-3


def random_colors(
    tokens: TokenData, *, generator: torch.Generator | None = None
) -> Float32[Tensor, "3 H W"]:
    """The image's regions in random colours, those of neighbours clearly different.

    Colours are drawn, regions of many neighbours first, from those that differ clearly from all
    neighbours' in Lab, for people who lack red or green cones too; where there is none, the one
    that differs most is taken.

    Args:
        tokens: One image.
        generator: Source of the colours; None for the same ones in every call.

    Returns:
        [3, H, W], in [0, 1].

    Raises:
        ValueError: A batch, or nodes that are no longer the image's tokens.
        TypeError: No token graph, or no generator.
    """
    seg = seg_of(tokens)
    count, edges = len(tokens.size), stored(tokens, "edge_index")
    if generator is None:
        generator = torch.Generator().manual_seed(0)
    instance(generator, torch.Generator, "generator", "a torch.Generator or None")
    number = drawn_colors(count, edges, generator)
    colors = palette().to(seg.device).index_select(0, number)
    return colors.index_select(0, seg.flatten()).t().reshape(3, *seg.shape)


def drawn_colors(
    count: int, edge_index: Int64[Tensor, "2 E"], generator: torch.Generator
) -> Int64[Tensor, " N"]:
    """For each node a colour of the palette, by number; see `random_colors`."""
    device = edge_index.device
    source, target = edge_index
    difference = differences().to(device)
    luck = torch.rand(count, len(PALETTE) + 1, generator=generator, device=generator.device)
    luck = luck.to(device)
    # who is before whom, all in order: by degree, then by lot
    order = (degree(source, count) + luck[:, 0]).argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(count, device=device)
    color = torch.full((count,), -1, device=device)
    while bool((color < 0).any()):  # all whose neighbours before them have theirs, at once
        waiting = color[source] < 0
        waits = waiting & (color[target] < 0) & (rank[target] < rank[source])
        ready = (color < 0) & ~torch.zeros_like(color, dtype=torch.bool).index_fill(
            0, source[waits], True
        )
        seen = ready[source] & (color[target] >= 0)
        nearest = scatter(
            difference[color[target[seen]]], source[seen], dim_size=count, reduce="min"
        )
        alone = scatter(seen.long(), source, dim_size=count, reduce="max") < 1
        nearest = torch.where(alone[:, None], CLEAR, nearest.clamp(max=CLEAR))
        color = torch.where(ready, (nearest + TIE * luck[:, 1:]).argmax(dim=1), color)
    return color


def palette() -> Float32[Tensor, "C 3"]:
    """The colours as RGB in [0, 1]."""
    rgb = [[int(code[place : place + 2], 16) for place in (0, 2, 4)] for code in PALETTE]
    return torch.tensor(rgb, dtype=torch.float32, device="cpu") / 255


def differences() -> Float32[Tensor, "C C"]:
    """How much colours of the palette differ in Lab, to those who see least of it."""
    from kornia.color import linear_rgb_to_rgb, rgb_to_linear_rgb

    colors = as_image(palette())
    light = rgb_to_linear_rgb(colors)  # [1, 3, C, 1]
    seen = [colors]
    for matrix in COLOUR_BLIND:
        mixed = torch.einsum("ij,bjhw->bihw", torch.tensor(matrix, device="cpu"), light)
        seen.append(linear_rgb_to_rgb(mixed.clamp(0, 1)))
    lab = [lab_of(view[0, :, :, 0].t()) for view in seen]
    return torch.stack([torch.cdist(view, view) for view in lab]).amin(dim=0)


def lab_of(colors: Float32[Tensor, "N 3"]) -> Float32[Tensor, "N 3"]:
    """CIE Lab (D65) of colours, RGB in [0, 1]."""
    from kornia.color import rgb_to_lab

    return rgb_to_lab(as_image(colors))[0, :, :, 0].t()


def as_image(colors: Float32[Tensor, "N 3"]) -> Float32[Tensor, "1 3 N 1"]:
    """Colours as the pixels of an image."""
    return colors.t()[None, :, :, None]
