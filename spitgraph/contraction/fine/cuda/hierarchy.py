"""Batches to an exact count of fine regions; compare `spitgraph.contraction.fine.hierarchy`.

All images go through each stage of `rule.SCHEDULE` together, as many rounds as the one that needs
most; those that have arrived wait. The host waits once a round, for the sizes of the next level's
arrays, once a stage to list borders, and once a partition that may become a level.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Int32, Int64, Shaped
from torch import Tensor

from spitgraph.contraction.cuda.colour import quantised_lab
from spitgraph.contraction.cuda.level import Level, level_zero
from spitgraph.contraction.cuda.reduce import pooled
from spitgraph.contraction.cuda.select import keep_strongest
from spitgraph.contraction.cuda.trees import clusters
from spitgraph.contraction.fine import rule
from spitgraph.contraction.fine.cuda.borders import list_borders, merge_borders
from spitgraph.contraction.fine.cuda.nest import Kept, parent_maps
from spitgraph.contraction.fine.cuda.pixels import (
    channel_weights,
    cheapest_of_pixels,
    find_evidence,
    patch_sums,
    smoothed,
)
from spitgraph.contraction.fine.cuda.reduce import pooled_pixels
from spitgraph.contraction.fine.cuda.refine import refine
from spitgraph.contraction.fine.cuda.select import cheapest_of_regions, choose
from spitgraph.contraction.fine.graph import coarsened
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
    """Hierarchies of a batch; see `spitgraph.contraction.cuda.hierarchy.contract`.

    Args:
        images: RGB, uint8 or float32 in [0, 1], on one GPU. Of those whose features are given only
            the sizes count.
        features_q: Features in the steps of `quantise`, within `rule.LARGEST`; None for Lab.
        settings: To an exact count of regions.

    Raises:
        ValueError: The batch has more pixels than 32 bits can number, or too many images.
    """
    assert settings.num_tokens is not None
    areas, heights, widths = sides(images)
    lab = features_q is None
    if features_q is None:
        features_q = quantised_lab(channels(images))
    return contract_features(
        coarsened(features_q), areas, heights, widths, settings.num_tokens, lab
    )


@on_own_device
def contract_features(
    features_q: Int32[Tensor, "C P"],
    areas: list[int],
    heights: list[int],
    widths: list[int],
    num_regions: int,
    lab: bool,
) -> Hierarchy:
    """The hierarchies of images of which the pixels' features are known, in the fine rule's steps.

    Args:
        features_q: The images one after the other.
        areas: Pixels of each image.
        heights: Their heights.
        widths: Their widths.
        num_regions: K.
        lab: Whether the features are Lab, whose chroma counts less than its lightness.
    """
    table = image_table(areas, heights, widths, device=features_q.device)
    pixels = level_zero(features_q, areas, table, compactness=0.0)
    growth = Growth(pixels, heights, widths, channel_weights(features_q, lab))
    for halves, smooth_passes, passes in rule.SCHEDULE:
        growth.merge_to(halves * num_regions // 2)
        growth.refine(smooth_passes, passes)
    return growth.hierarchy()


class Growth:
    """A batch on its way from pixels to tokens.

    Attributes:
        pixels: All of the batch.
        heights: Of the images.
        widths: Of the images.
        weights: What each channel counts where regions merge, and where pixels change sides.
        evidence: Of the sides between pixels.
        smooth: The pixels of the smoothed picture.
        level: The regions now.
        label: Region of each pixel, numbered over the batch.
        kept: Partitions on the way, which may become levels.
    """

    def __init__(
        self, pixels: Level, heights: list[int], widths: list[int], weights: Int64[Tensor, "2 C"]
    ) -> None:
        self.pixels, self.level = pixels, pixels
        self.heights, self.widths = heights, widths
        self.weights = weights
        patch = patch_sums(pixels)
        self.evidence, self.smooth = find_evidence(pixels, patch), smoothed(pixels, patch)
        device = weights.device
        self.label = torch.arange(pixels.num_regions, dtype=torch.int32, device=device)
        self.kept: list[Kept] = []

    def too_many(self, target: int) -> list[int]:
        """How many regions above a target each image has."""
        return [max(count - target, 0) for count in self.level.counts]

    def merge_to(self, target: int) -> None:
        """Rounds of merges until no image has more regions."""
        border = None
        while any(self.too_many(target)):
            old = self.level
            if border is None and old is not self.pixels:
                border = list_borders(old, self.pixels, self.label, self.evidence)
            cluster, num_edges = self.merge_round(border, target)
            if border is not None and any(self.too_many(target)):
                border = merge_borders(self.level, old, border, cluster, num_edges)

    def merge_round(
        self, border: Int64[Tensor, "2 m"] | None, target: int
    ) -> tuple[Int32[Tensor, " n"], int]:
        """One round on the way to `target` regions; images that have no more wait.

        Args:
            border: Length and evidence of the level's edges; None for pixels.
            target: Regions of an image.

        Returns:
            The new region of every old one, and how many edges the old ones had.
        """
        level, surplus = self.level, self.too_many(target)
        all_merge = [
            area < rule.LEAST_MEAN_SIZE * count
            for area, count in zip(self.pixels.counts, level.counts, strict=True)
        ]
        choice = choose(level, *self.cheapest(border), all_merge, surplus)
        chosen, num_edges = level.report()  # the host waits here
        if any(map(int.__gt__, chosen, surplus)):
            keep_strongest(level, choice, surplus)
            chosen = list(map(min, chosen, surplus))
        counts = list(map(int.__sub__, level.counts, chosen))
        table = image_table(counts, self.heights, self.widths, device=self.label.device)
        cluster, _ = clusters(level, choice, table)
        self.label = cluster.index_select(0, self.label)
        if border is None:
            self.level = self.regions_of(self.pixels, counts, table)
        else:
            self.level = pooled(level, cluster, counts, table)
        self.keep(list(map(bool.__and__, all_merge, map(bool, self.too_many(target)))))
        return cluster, num_edges

    def cheapest(
        self, border: Int64[Tensor, "2 m"] | None
    ) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"]]:
        """Strength and priority of the cheapest edge of every region, or pixel."""
        if border is None:
            return cheapest_of_pixels(self.pixels, self.evidence, self.weights[0])
        return cheapest_of_regions(self.level, border, self.weights[0])

    def keep(self, images: list[bool]) -> None:
        """Keep the partition as it is, for these images, if there are any."""
        if any(images):
            self.kept.append(Kept(self.label, images))

    def regions_of(self, pixels: Level, counts: list[int], table: Int64[Tensor, "4 B"]) -> Level:
        """What the regions hold of the picture, or of the smoothed one."""
        return pooled_pixels(pixels, self.label, counts, table, self.weights[0])

    def refine(self, smooth_passes: int, passes: int) -> None:
        """Pixels change sides, if any regions have merged: first by the smoothed picture."""
        level = self.level
        if level is self.pixels:
            return
        self.label = self.label.clone()  # the one that is kept stays
        if smooth_passes:
            self.move(
                self.smooth, self.regions_of(self.smooth, level.counts, level.table), smooth_passes
            )
            self.level = self.regions_of(self.pixels, level.counts, level.table)
        self.move(self.pixels, self.level, passes)
        self.keep([True] * self.pixels.num_images)

    def move(self, pixels: Level, regions: Level, passes: int) -> None:
        """Let pixels change sides by a picture, of which the regions hold so much."""
        refine(self.label, pixels, regions, self.weights, passes, self.heights, self.widths)

    def hierarchy(self) -> Hierarchy:
        """Of all images, the partitions on the way made to nest."""
        kept = self.kept or [Kept(self.label, [True] * self.pixels.num_images)]
        maps, counts = parent_maps(kept, self.pixels, self.level.counts)
        return Hierarchy.from_parents(maps, counts, self.label.long(), self.label.device)
