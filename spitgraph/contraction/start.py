"""Contraction that begins at given regions in place of the pixels (METHOD 2.10)."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from spitgraph.contraction.fine.start import contract_fine_from
from spitgraph.contraction.hierarchy import contract_graph, pooled, selected
from spitgraph.contraction.operator import image_graph, quantised
from spitgraph.hierarchy import Hierarchy, composed
from spitgraph.modes import exact_device
from spitgraph.settings import Settings


class Start(NamedTuple):
    """Where the contraction of one image begins.

    Attributes:
        parents: Parent maps from the pixels to the regions that it begins at; none if at pixels.
        counts: Regions of each level from the pixels on.
        apart: [2, K] int64, pairs of these regions that never come into one.
    """

    parents: list[Int64[Tensor, " _"]]
    counts: list[int]
    apart: Int64[Tensor, "2 K"]


def contract_from(
    images: Sequence[Shaped[Tensor, "3 _H _W"]], starts: Sequence[Start], settings: Settings
) -> Hierarchy:
    """Contract the regions that images begin at, by plain operations.

    Levels below are kept: those that led to the given regions come first.

    Args:
        images: RGB, uint8 or float32 in [0, 1], on one device.
        starts: Of each image; maps on the images' device.
        settings: How far, and how. The fine rule moves no pixel here: given borders stay.

    Raises:
        ValueError: More regions are asked for than there are, or fewer than contraction leads to.
    """
    check_start_counts(starts, settings)
    device = images[0].device
    host = exact_device(device)
    there = [
        Start([parent.to(host) for parent in s.parents], s.counts, s.apart.to(host)) for s in starts
    ]
    leaves = [composed(s.parents, s.counts[0], host) for s in there]
    if settings.is_fine:
        rest = fine_rest(images, there, leaves, settings)
    else:
        rest = fast_rest(images, there, leaves, settings)
    maps, counts = rest.image_parents, rest.image_counts
    return Hierarchy.from_parents(
        [[*s.parents, *above] for s, above in zip(there, maps, strict=True)],
        [[*s.counts[:-1], *above] for s, above in zip(there, counts, strict=True)],
        device=host,
    ).to(device)


def check_start_counts(starts: Sequence[Start], settings: Settings) -> None:
    """Refuse a count of regions above that which contraction begins with."""
    for index, start in enumerate(starts):
        if settings.num_tokens is not None and settings.num_tokens > start.counts[-1]:
            raise ValueError(
                f"num_tokens={settings.num_tokens} is more than the {start.counts[-1]} regions "
                f"that image {index} begins with: contraction only merges"
            )


def fast_rest(
    images: Sequence[Tensor], starts: Sequence[Start], leaves: list[Tensor], settings: Settings
) -> Hierarchy:
    """The levels from the given regions on, by METHOD 2."""
    counts = [start.counts[-1] for start in starts]
    first = list(accumulate(counts, initial=0))
    cluster = torch.cat([leaf + start for leaf, start in zip(leaves, first[:-1], strict=True)])
    graph = image_graph(images, settings)
    if any(start.parents for start in starts):
        graph = pooled(graph, selected(cluster, first[-1]))
    apart = torch.cat([s.apart + start for s, start in zip(starts, first[:-1], strict=True)], 1)
    return contract_graph(graph, settings, apart if apart.numel() else None)


def fine_rest(
    images: Sequence[Tensor], starts: Sequence[Start], leaves: list[Tensor], settings: Settings
) -> Hierarchy:
    """The levels from the given regions on, by the costs of METHOD 10.2."""
    assert settings.num_tokens is not None
    lab = settings.features == "lab"
    found = [
        contract_fine_from(
            quantised(image, settings),
            leaf.view(image.shape[1:]),
            start.counts[-1],
            settings.num_tokens,
            start.apart,
            lab=lab,
        )
        for image, start, leaf in zip(images, starts, leaves, strict=True)
    ]
    maps, counts = [maps for maps, _ in found], [counts for _, counts in found]
    return Hierarchy.from_parents(maps, counts, device=leaves[0].device)
