"""Pixels on borders change sides, as far as regions stay connected (METHOD 10.4)."""

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor
from torch.nn.functional import pad

from spitgraph.contraction.fine import rule
from spitgraph.extensions import scatter_sum


def refine(
    label: Int64[Tensor, "H W"],
    features_q: Int64[Tensor, "C H W"],
    weights: Int64[Tensor, " C"],
    passes: int,
) -> Int64[Tensor, "H W"]:
    """Labels of connected regions whose border pixels have changed sides for the better.

    A pass has four phases, of the pixels at (y mod 2, x mod 2): none are neighbours, so that their
    moves are independent. After the first pass only those pixels are looked at that have moved in
    the pass before or since, or a neighbour across a side.

    Args:
        label: Regions 0 … n − 1, all of them connected.
        features_q: Features in whole steps.
        weights: What each channel counts.
        passes: How many.
    """
    label = label.clone()
    num_regions = int(label.max()) + 1
    ones = torch.ones_like(label)
    totals = torch.cat([features_q, ones[None]]).flatten(1)  # of each pixel
    held = scatter_sum(totals, label.flatten(), num_regions)
    waiting = torch.ones_like(label, dtype=torch.bool)
    for _ in range(passes):
        looked_at, waiting = waiting, torch.zeros_like(waiting)
        for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
            phase = torch.zeros_like(looked_at)
            phase[y::2, x::2] = looked_at[y::2, x::2]
            pixel = phase.flatten().nonzero()[:, 0]
            to = destinations(label, features_q, held, weights, pixel)
            pixel, to = pixel[to >= 0], to[to >= 0]
            if not len(pixel):
                continue
            moved = totals.index_select(1, pixel)
            here = label.flatten().index_select(0, pixel)
            held += scatter_sum(moved, to, num_regions) - scatter_sum(moved, here, num_regions)
            label.view(-1)[pixel] = to
            near = surroundings(label, pixel)
            looked_at |= near
            waiting |= near
    return label


def destinations(
    label: Int64[Tensor, "H W"],
    features_q: Int64[Tensor, "C H W"],
    held: Int64[Tensor, "_ n"],
    weights: Int64[Tensor, " C"],
    pixel: Int64[Tensor, " k"],
) -> Int64[Tensor, " k"]:
    """The region that each pixel moves to; −1 where it stays.

    What it adds to the variation of a region that it joins, and takes from that of its own, are
    compared; of equally good regions the first around the pixel.
    """
    around = ring(label, pixel)  # [8, k]
    region = label.flatten().index_select(0, pixel)
    feature = features_q.flatten(1).index_select(1, pixel).double()
    size = held[-1].double()
    mean = held[:-1].double() / size

    def cost(r: Tensor, share: Tensor) -> Float64[Tensor, " k"]:
        distance = torch.zeros_like(feature[0])
        for w, own, means in zip(weights.tolist(), feature, mean, strict=True):
            step = own - means.index_select(0, r)
            distance += float(w) * (step * step)
        return share * distance

    own = around == region
    bits = (own.long() << torch.arange(8, device=own.device)[:, None]).sum(0)
    simple = torch.tensor(rule.SIMPLE, device=own.device).index_select(0, bits)
    own_size = size.index_select(0, region)
    best = cost(region, own_size / (own_size - 1))
    stays = torch.full_like(region, -1)
    chosen = stays
    for r in around[::2]:
        there = r.clamp(min=0)
        r_size = size.index_select(0, there)
        new = cost(there, r_size / (r_size + 1))
        better = (r >= 0) & (r != region) & (new < best)
        best, chosen = torch.where(better, new, best), torch.where(better, r, chosen)
    return torch.where(simple & (own_size > 1), chosen, stays)


def ring(label: Int64[Tensor, "H W"], pixel: Int64[Tensor, " k"]) -> Int64[Tensor, "8 k"]:
    """Regions of the pixels' eight neighbours, from above clockwise; −1 outside the image."""
    width = label.shape[1]
    framed = pad(label, (1, 1, 1, 1), value=-1).flatten()
    place = (pixel.div(width, rounding_mode="floor") + 1) * (width + 2) + pixel % width + 1
    return torch.stack(
        [framed.index_select(0, place + dy * (width + 2) + dx) for dy, dx in rule.RING]
    )


def surroundings(label: Int64[Tensor, "H W"], pixel: Int64[Tensor, " k"]) -> Bool[Tensor, "H W"]:
    """Some pixels, and their neighbours across a side."""
    own = torch.zeros_like(label, dtype=torch.bool)
    own.view(-1)[pixel] = True
    framed = pad(own, (1, 1, 1, 1))
    inner = slice(1, -1)
    beside = framed[inner, :-2] | framed[inner, 2:]
    return own | beside | framed[:-2, inner] | framed[2:, inner]
