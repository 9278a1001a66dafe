"""What a page knows of tokens: an outline in JSON, and everything long as one compressed piece."""

import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spitgraph.data import TokenData
from spitgraph.hierarchy import Hierarchy
from spitgraph.inspection.page.labels import (
    Coded,
    by_first,
    byte_planes,
    coded,
    pixel_neighbours,
    region_neighbours,
)
from spitgraph.inspection.page.vectors import Patches

#: Levels of more regions than this are left out, unless they are the tokens themselves.
MOST_REGIONS = 2**18
#: Share of a partition's room that its levels may take; finer ones are left out then.
ROOM_OF_LEVELS = 0.85
#: Sections above this size are compressed a little less, for a lot less time.
LARGE = 2**23


class Packed(NamedTuple):
    """Sections one after the other, compressed, and what they are.

    Attributes:
        about: For JSON; `sections` says how many bytes each has.
        content: In zlib's format.
    """

    about: dict[str, Any]
    content: bytes


class Sections:
    """Named pieces of bytes, one after the other."""

    def __init__(self) -> None:
        self._pieces: dict[str, bytes] = {}

    def add(self, name: str, piece: bytes) -> None:
        """Put a piece behind the others."""
        self._pieces[name] = piece

    def add_coded(self, name: str, map: Coded) -> None:
        """Put a coded label map behind the others."""
        for number, stream in enumerate(map.streams):
            self.add(f"{name}.{number}", stream)
        if map.names is not None:
            self.add(f"{name}.names", byte_planes(map.names))

    def compressed(self) -> bytes:
        """All of them, in zlib's format."""
        content = b"".join(self._pieces.values())
        return zlib.compress(content, 9 if len(content) < LARGE else 6)

    def packed(self, about: dict[str, Any]) -> Packed:
        """All of them, and how long each is."""
        sizes = [[name, len(piece)] for name, piece in self._pieces.items()]
        return Packed({**about, "sections": sizes}, self.compressed())


def pack_tokens(
    tokens: TokenData,
    name: str,
    room: int,
    vectors_within: Callable[[int], Patches | None],
    attributions: Mapping[str, Float[Tensor, " N"]],
) -> Packed:
    """The regions of an image at every level, and what is known of its tokens.

    Where room is scarce, vectors have fewer bins, and then the finest levels are left out.

    Args:
        tokens: One image.
        name: What they are called.
        room: Bytes that all of it may take.
        vectors_within: Makes their vectors, so that they take no more bytes; see `patches`.
        attributions: By name, a score a token.
    """
    room -= len(tokens.size) * (3 + 4 * len(attributions))
    sections, levels, taken = levels_within(tokens, round(ROOM_OF_LEVELS * room))
    vectors = vectors_within(room - taken)
    color = (tokens.color.detach().clamp(0, 1) * 255).round().byte()
    sections.add("color", color.t().cpu().numpy().tobytes())  # all reds first
    if vectors is not None:
        sections.add("vectors", vectors.content)
    for number, scores in enumerate(attributions.values()):
        sections.add(f"scores.{number}", scores.cpu().numpy().astype("<f4").tobytes())
    return sections.packed(
        {
            "name": name,
            "levels": levels,
            "depth": tokens.tree.depth,
            "vectors": None if vectors is None else about_vectors(vectors),
            "scores": [{"name": name, **ends(scores)} for name, scores in attributions.items()],
        }
    )


def levels_within(tokens: TokenData, room: int) -> tuple[Sections, list[dict[str, int]], int]:
    """As many levels as there is room for, the tokens' own in any case; and the bytes they take."""
    tree = tokens.tree
    for finest in range(finest_level(tree), tree.depth + 1):
        sections = Sections()
        levels = add_levels(sections, tokens, finest)
        taken = len(sections.compressed())
        if taken <= room:
            break
    return sections, levels, taken


def add_levels(sections: Sections, tokens: TokenData, finest: int) -> list[dict[str, int]]:
    """Put the label map of the finest level in, and the parents from there on.

    Returns:
        Number and count of regions of each level that is in, the finest first.
    """
    tree = tokens.tree
    height, width = tokens.image_size[0].tolist()
    counts = tree.image_counts[0]
    parents = [parent.cpu().numpy() for parent in tree.parents]
    rank, first, names = by_first(tree.partition(finest).cpu().numpy())
    base = rank.reshape(height, width)
    sections.add_coded("map", coded(rank, first, pixel_neighbours(base), names))
    place = np.flatnonzero(first)  # of each region
    lut = np.arange(len(place))  # region of the finest level → of this one
    for level in range(finest, tree.depth):
        parent = parents[level] if names is None else parents[level][names]
        upper, first, names = by_first(parent)
        known = region_neighbours(upper, lut[base], place)
        sections.add_coded(f"up.{level}", coded(upper, first, known, names))
        lut, place = upper[lut], place[first]
    return [{"level": level, "count": counts[level]} for level in range(finest, tree.depth + 1)]


def finest_level(tree: Hierarchy) -> int:
    """The first level that is in a page: not that of pixels, nor one of too many regions."""
    counts = tree.image_counts[0]
    kept = (level for level in range(1, tree.depth) if counts[level] <= MOST_REGIONS)
    return next(kept, tree.depth)


def about_vectors(vectors: Patches) -> dict[str, Any]:
    """What `vectors` is, beside its content."""
    return {
        "bins": vectors.bins,
        "features": vectors.features,
        "low": vectors.low,
        "high": vectors.high,
    }


def ends(scores: Float[Tensor, " N"]) -> dict[str, float]:
    """The least and the greatest score; as far below as above 0 where there are scores below."""
    low, high = float(scores.min()), float(scores.max())
    if low < 0:
        reach = max(-low, high)
        return {"low": -reach, "high": reach}
    return {"low": low, "high": high}


def pack_masks(masks: Mapping[str, np.ndarray]) -> Packed:
    """Masks [H, W] of an image, a bit a pixel."""
    sections = Sections()
    for number, mask in enumerate(masks.values()):
        sections.add(f"mask.{number}", np.packbits(mask.reshape(-1)).tobytes())
    return sections.packed({"names": list(masks)})


def pooled(scores: Tensor, tokens: TokenData) -> Float[Tensor, " N"]:
    """Scores of pixels [H, W] as means of the tokens, float32; such of tokens [N] as they are."""
    if scores.dim() == 1:
        return scores.detach().to(torch.float32)
    flat = scores.detach().double().flatten().to(tokens.size.device)
    return tokens.tree.pool(flat, tokens.tree.depth).to(torch.float32)
