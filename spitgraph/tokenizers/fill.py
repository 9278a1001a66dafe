"""What masks leave uncovered, contracted into superpixels."""

from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from spitgraph.contraction.fine.nest import parents
from spitgraph.contraction.graph import RegionGraph
from spitgraph.contraction.hierarchy import contract_graph, pooled, selected
from spitgraph.contraction.operator import image_graph
from spitgraph.contraction.select import chosen_neighbours, number_by_first
from spitgraph.contraction.start import Start
from spitgraph.contraction.weights import edge_weights
from spitgraph.grid import connected_parts
from spitgraph.settings import Settings


class Cover(NamedTuple):
    """What is to be seen of the masks of one image.

    Attributes:
        mask: [H, W] int64, the mask on top of each pixel, −1 for none.
        piece: [H, W] int64, the region of each covered pixel, −1 for none: 0 … n − 1.
    """

    mask: Int64[Tensor, "H W"]
    piece: Int64[Tensor, "H W"]


def cover_of(mask: Int64[Tensor, "H W"], *, connected: bool) -> Cover:
    """The regions that painted masks are, or their connected pieces."""
    piece = connected_parts(mask).view_as(mask) if connected else mask
    return Cover(mask, without_gaps(torch.where(mask < 0, -1, piece)))


def without_gaps(piece: Int64[Tensor, "H W"]) -> Int64[Tensor, "H W"]:
    """Numbers 0 … n − 1 in their order, −1 left as it is."""
    flat = torch.cat([piece.new_full((1,), -1), piece.flatten()])
    return (flat.unique(return_inverse=True)[1][1:] - 1).view_as(piece)


def filled(
    image: Shaped[Tensor, "3 H W"], cover: Cover, settings: Settings, least: int, of: str
) -> tuple[Start, Int64[Tensor, "H W"]]:
    """The levels of an image whose uncovered pixels are contracted, and the mask of each pixel.

    Args:
        image: RGB.
        cover: What is to be seen of its masks, where comparison features are.
        settings: How far, and how.
        least: Uncovered pieces of fewer pixels than this join a mask.
        of: Which image it is, for errors.
    """
    pixels = image_graph([image], settings)
    if least > 1:
        cover = without_slivers(pixels, cover, least, settings)
    open_pixels = (cover.piece.flatten() < 0).nonzero()[:, 0]
    num_pieces = int(cover.piece.max()) + 1
    if settings.num_tokens is not None:
        settings = replace(settings, num_tokens=left_over(cover, num_pieces, settings, of))
    maps: list[Tensor] = []
    if len(open_pixels):
        graph = subgraph(pixels, open_pixels)
        maps = contract_graph(graph, settings).image_parents[0]
    return levels_of(cover.piece, num_pieces, open_pixels, maps), cover.mask


def left_over(cover: Cover, num_pieces: int, settings: Settings, of: str) -> int:
    """How many regions the uncovered pixels are contracted to, of so many tokens in all."""
    assert settings.num_tokens is not None
    is_open = cover.piece < 0
    most = num_pieces + int(is_open.sum())
    if settings.num_tokens > most:
        raise ValueError(
            f"num_tokens={settings.num_tokens} is more than the {num_pieces} regions of masks{of} "
            f"and the {most - num_pieces} pixels that they do not cover"
        )
    parts = connected_parts(cover.piece)[is_open.flatten()]
    return max(settings.num_tokens - num_pieces, len(parts.unique()), 1)


def subgraph(pixels: RegionGraph, kept: Int64[Tensor, " k"]) -> RegionGraph:
    """The graph of some pixels of an image, and the edges between them."""
    number = torch.full_like(pixels.size, -1)
    number[kept] = torch.arange(len(kept), device=kept.device)
    edges = number[pixels.edge_index]
    return RegionGraph(
        sums=pixels.sums[:, kept],
        size=pixels.size[kept],
        box=None if pixels.box is None else pixels.box[:, kept],
        edge_index=edges[:, (edges >= 0).all(0)],
        counts=[len(kept)],
    )


def levels_of(
    piece: Int64[Tensor, "H W"],
    num_pieces: int,
    open_pixels: Int64[Tensor, " k"],
    maps: list[Int64[Tensor, " _"]],
) -> Start:
    """The levels of a whole image: pieces of masks, which stay, and what the rest becomes."""
    rest = torch.arange(len(open_pixels), device=piece.device)
    before = torch.arange(piece.numel(), device=piece.device)
    found, counts = [], [piece.numel()]
    for t in range(max(len(maps), 1)):
        rest = maps[t][rest] if maps else rest
        label = piece.flatten().clone()
        label[open_pixels] = rest + num_pieces
        region, count = number_by_first(label)
        found.append(parents(before.view_as(piece), region.view_as(piece), counts[-1]))
        counts.append(count)
        before = region
    return Start(found, counts, piece.new_empty(2, 0))


def without_slivers(pixels: RegionGraph, cover: Cover, least: int, settings: Settings) -> Cover:
    """The cover grown over uncovered pieces of fewer than `least` pixels.

    A piece touches nothing but masks. It joins the one to which its edge is the strongest.
    """
    piece, mask = cover.piece.flatten(), cover.mask.flatten()
    part = connected_parts(cover.piece)
    size = part.bincount(minlength=len(part))
    slivers = ((piece < 0) & (size[part] < least)).nonzero()[:, 0]
    if not len(slivers):
        return cover
    label = torch.where(piece < 0, part + len(part), piece)
    region, count = number_by_first(without_gaps(label[None])[0])
    graph = pooled(pixels, selected(region, count))
    weight = edge_weights(graph, settings)
    never = weight.new_full((count,), -torch.inf)
    neighbour = chosen_neighbours(graph, weight, never, None)
    new = []
    for of_pixels in (mask, piece):
        of_regions = torch.full_like(neighbour, -1)
        of_regions[region] = of_pixels
        of_pixels = of_pixels.clone()
        of_pixels[slivers] = of_regions[neighbour[region[slivers]]]
        new.append(of_pixels.view_as(cover.piece))
    return Cover(*new)
