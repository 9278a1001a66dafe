"""Token vectors in few bytes: 32 steps a number, and as many bins as there is room for."""

import zlib
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from spitgraph.extractors.interpolation.layout import COLOUR
from spitgraph.inspection.vector import unpack_vectors

#: Steps of a number, and the fewest bins a side that still show something.
STEPS, FEWEST = 32, 4


class Patches(NamedTuple):
    """The parts of token vectors, a byte a number, 0 … 31.

    Attributes:
        bins: A side.
        features: "colour", "position" and, where the vectors have it, "gradient".
        low: Colour of step 0.
        high: Colour of step 31. Histograms go from 0 to the most of their own.
        content: Token after token, feature after feature, the three channels of colour one after
            the other, row by row.
    """

    bins: int
    features: list[str]
    low: float
    high: float
    content: bytes


def patches(x: Float[Tensor, "N D"], room: int) -> Patches | None:
    """The vectors, with their own bins or fewer, so that they take no more room when compressed.

    Where bins are put together, two by two, colours are averaged and histograms added.

    Args:
        x: Vectors of an `InterpolationExtractor`.
        room: Bytes.

    Returns:
        None where even the fewest bins take more.
    """
    lattices = unpack_vectors(x.detach().cpu().float())
    colour = torch.stack([lattices.pop(channel) for channel in COLOUR], dim=1)  # [N, 3, β, β]
    parts = {"colour": colour, **{name: part[:, None] for name, part in lattices.items()}}
    while True:
        made = quantised(parts)
        if len(zlib.compress(made.content, 6)) <= room:
            return made
        bins = made.bins
        if bins % 2 or bins // 2 < FEWEST:
            return None
        parts = {name: halved(part) for name, part in parts.items()}


def halved(part: Float[Tensor, "N C b b"]) -> Float[Tensor, "N C h h"]:
    """A lattice of half as many bins a side, each the mean of four."""
    return torch.nn.functional.avg_pool2d(part, 2)


def quantised(parts: dict[str, Float[Tensor, "N _C b b"]]) -> Patches:
    """Numbers as steps between two ends: of all colours, or 0 and the most of a histogram."""
    colour = parts["colour"]
    low, high = min(-1.0, float(colour.min())), max(1.0, float(colour.max()))
    steps = [(colour - low) / (high - low)]
    for name, part in parts.items():
        if name != "colour":
            most = part.amax(dim=(1, 2, 3), keepdim=True)
            steps.append((part / most.clamp(min=1e-30)).clamp(min=0))
    content = torch.cat([(step * (STEPS - 1)).round().byte() for step in steps], dim=1)
    return Patches(colour.shape[-1], list(parts), low, high, content.numpy().tobytes())
