"""The loop over levels on a GPU; compare `spitgraph.contraction.hierarchy`.

The host waits once a level: to learn how many edges each image chose, and how many there are. It
needs both for the sizes of the next level's arrays.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Int32, Int64, Shaped
from torch import Tensor

from spitgraph.contraction.cuda.colour import quantised_lab
from spitgraph.contraction.cuda.connect import connect
from spitgraph.contraction.cuda.level import Level, level_zero
from spitgraph.contraction.cuda.reduce import pooled
from spitgraph.contraction.cuda.select import choose, keep_strongest
from spitgraph.contraction.cuda.trees import clusters
from spitgraph.contraction.hierarchy import check_headway
from spitgraph.hierarchy import Hierarchy
from spitgraph.kernels.cuda.images import channels, sides
from spitgraph.kernels.cuda.jit import on_own_device
from spitgraph.kernels.cuda.programs import image_table
from spitgraph.settings import Settings


def contract(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    features_q: Int32[Tensor, "C P"] | None,
    settings: Settings,
) -> Hierarchy:
    """The hierarchy of a batch of images (METHOD 2), its parents and leaves on their device.

    Args:
        images: RGB, uint8 or float32 in [0, 1], on one GPU. Of those whose features are given only
            the sizes count.
        features_q: Quantised features, the images one after the other; None for those of `"lab"`.
        settings: Levels or exact count of regions, compactness, similarity.

    Raises:
        ValueError: The batch has more pixels than 32 bits can number, or too many images.
    """
    areas, heights, widths = sides(images)
    if features_q is None:
        features_q = quantised_lab(channels(images))
    return contract_features(features_q, areas, heights, widths, settings)


@on_own_device
def contract_features(
    features_q: Int32[Tensor, "C P"],
    areas: list[int],
    heights: list[int],
    widths: list[int],
    settings: Settings,
) -> Hierarchy:
    """The hierarchy of images of which the pixels' features are known."""
    device = features_q.device
    table = image_table(areas, heights, widths, device=device)
    level = level_zero(features_q, areas, table, settings.compactness)
    grown = Grown(areas)
    cluster = torch.arange(level.num_regions, device=device)
    active, surplus = unfinished(grown, settings)
    while any(active):
        choice = choose(level, settings)
        chosen, num_edges = level.report()  # the host waits here
        if surplus is not None and any(map(int.__gt__, chosen, surplus)):
            keep_strongest(level, choice, surplus)
            chosen = list(map(min, chosen, surplus))
        counts = list(map(int.__sub__, level.counts, chosen))
        if surplus is not None:
            check_headway(level.counts, counts, surplus)
        table = image_table(counts, heights, widths, device=device)
        next_region, parent = clusters(level, choice, table)
        cluster = next_region.long().index_select(0, cluster)
        grown.add(parent, counts, active)
        active, surplus = unfinished(grown, settings)
        if any(active):
            level = next_level(level, next_region, counts, table, num_edges)
    return grown.hierarchy(cluster)


def next_level(
    level: Level,
    cluster: Int32[Tensor, " n"],
    counts: list[int],
    table: Int64[Tensor, "4 B"],
    num_edges: int,
) -> Level:
    """G(t) → G(t+1), once it is known which region of the next level every region belongs to."""
    result = pooled(level, cluster, counts, table)
    connect(result, level, cluster, num_edges)
    return result


class Grown:
    """What is known of every image's hierarchy so far.

    Attributes:
        parents: Of each image, the parent map of each level.
        counts: Of each image, its regions at each level.
    """

    def __init__(self, areas: list[int]) -> None:
        self.parents: list[list[Tensor]] = [[] for _ in areas]
        self.counts = [[area] for area in areas]

    @property
    def levels(self) -> list[int]:
        """Contractions of each image."""
        return [len(image) for image in self.parents]

    @property
    def regions(self) -> list[int]:
        """Regions of each image's last level."""
        return [counts[-1] for counts in self.counts]

    def add(self, parent: Int64[Tensor, " n"], counts: list[int], active: list[bool]) -> None:
        """A further level of the images that are not done; the others' regions stay as they are."""
        parts = parent.split(self.regions)
        for image, (part, count) in enumerate(zip(parts, counts, strict=True)):
            if active[image]:
                self.parents[image].append(part)
                self.counts[image].append(count)

    def hierarchy(self, cluster: Int64[Tensor, " P"]) -> Hierarchy:
        """All of it, image after image, level after level."""
        maps = [part for image in self.parents for part in image]
        counts = [count for image in self.counts for count in image]
        return Hierarchy(
            parent=torch.cat(maps) if maps else cluster.new_empty(0),
            counts=torch.tensor(counts, dtype=torch.int64, device="cpu"),
            num_levels=torch.tensor(self.levels, dtype=torch.int64, device="cpu"),
            cluster=cluster,
        )


def unfinished(grown: Grown, settings: Settings) -> tuple[list[bool], list[int] | None]:
    """Which images go on; and how many regions too many each has, where a count is asked for."""
    if settings.num_tokens is None:
        return [levels < settings.levels for levels in grown.levels], None
    surplus = [max(count - settings.num_tokens, 0) for count in grown.regions]
    return [excess > 0 for excess in surplus], surplus
