"""Hierarchy: the regions of a batch at every level, as the parent of each at the next.

It knows no image, no dimension and no model: leaves may be the pixels of an image, the voxels of a
volume, or anything else that was merged step by step.
"""

from collections.abc import Sequence
from itertools import accumulate, islice
from typing import NamedTuple, SupportsIndex

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor
from torch_geometric.utils import scatter

from spitgraph.checks import integer
from spitgraph.modes import exact_device


class Hierarchy(NamedTuple):
    """Nested partitions of a batch: B images of P leaves in all, merged level by level.

    Level 0 are the leaves, level T the regions that are left. In a batch of images of different
    depth, T is the largest; shallower images stay as they are at the levels they do not have. What
    methods take and give is numbered over the batch; values of regions are [n_t, ...].

    Attributes:
        parent: [M] int64, parent maps (region of level t → region of level t + 1), image after
            image, level after level, numbered within their image.
        counts: [Σ(T_b + 1)] int64 on the CPU, regions of each level 0 … T_b of each image.
        num_levels: [B] int64 on the CPU, T_b.
        cluster: [P] int64, region of the last level of each leaf, numbered over the batch.
    """

    parent: Int64[Tensor, " M"]
    counts: Int64[Tensor, " L"]
    num_levels: Int64[Tensor, " B"]
    cluster: Int64[Tensor, " P"]

    @classmethod
    def from_parents(
        cls,
        images: Sequence[Sequence[Int64[Tensor, " _"]]],
        counts: Sequence[Sequence[int]],
        cluster: Int64[Tensor, " P"] | None = None,
        device: torch.device | None = None,
    ) -> "Hierarchy":
        """The hierarchy that parent maps make.

        Args:
            images: Of each image, its parent maps, numbered within the image.
            counts: Of each image, its regions at every level, from the leaves on.
            cluster: Region of the last level of each leaf, numbered over the batch; it follows from
                the maps.
            device: Where the maps are, if there may be none.
        """
        flat = [parent for maps in images for parent in maps]
        if cluster is None:
            first = accumulate((levels[-1] for levels in counts), initial=0)
            cluster = torch.cat(
                [
                    composed(maps, levels[0], device) + start
                    for maps, levels, start in zip(images, counts, first, strict=False)
                ]
            )
        return cls(
            torch.cat(flat) if flat else cluster.new_empty(0),
            torch.tensor([count for levels in counts for count in levels], device="cpu"),
            torch.tensor([len(levels) - 1 for levels in counts], device="cpu"),
            cluster,
        )

    @classmethod
    def from_partition(
        cls, clusters: Sequence[Int64[Tensor, " _"]], num_regions: Sequence[int]
    ) -> "Hierarchy":
        """A hierarchy of one level: region of each leaf, image by image, numbered within it."""
        parent = torch.cat(list(clusters))
        areas = [len(cluster) for cluster in clusters]
        first = list(accumulate(num_regions, initial=0))[:-1]
        shift = torch.tensor(first, device=parent.device)
        if len(areas) == 1:
            cluster = parent
        elif len(set(areas)) == 1:
            cluster = (parent.view(len(areas), -1) + shift[:, None]).view(-1)
        else:
            cluster = torch.cat([part + start for part, start in zip(clusters, first, strict=True)])
        counts = torch.tensor(list(zip(areas, num_regions, strict=True)), device="cpu").view(-1)
        return cls(parent, counts, torch.ones(len(areas), dtype=torch.int64, device="cpu"), cluster)

    def to(self, device: torch.device) -> "Hierarchy":
        """The same hierarchy, its maps on a device."""
        return self._replace(parent=self.parent.to(device), cluster=self.cluster.to(device))

    @property
    def depth(self) -> int:
        """T, the largest of all images."""
        return int(self.num_levels.max())

    @property
    def image_counts(self) -> list[list[int]]:
        """Of each image, its regions at every level, from the leaves on."""
        counts = iter(self.counts.tolist())
        return [list(islice(counts, depth + 1)) for depth in self.num_levels.tolist()]

    @property
    def level_sizes(self) -> list[int]:
        """Lengths of the parent maps in `parent`."""
        return [count for levels in self.image_counts for count in levels[:-1]]

    def num_regions(self, level: SupportsIndex | None = None) -> list[int]:
        """Regions of each image at a level, by default the last.

        Raises:
            ValueError, TypeError: There is no such level.
        """
        level = self.depth if level is None else self._checked(level)
        levels = self.image_counts
        return [counts[min(level, len(counts) - 1)] for counts in levels]

    @property
    def image_parents(self) -> list[list[Int64[Tensor, " _"]]]:
        """Of each image, its parent maps, numbered within the image."""
        counts = self.image_counts
        maps = iter(self.parent.split([n for levels in counts for n in levels[:-1]]))
        return [list(islice(maps, len(levels) - 1)) for levels in counts]

    @property
    def parents(self) -> list[Int64[Tensor, " _"]]:
        """T maps, region of level t → region of level t + 1, numbered over the batch."""
        counts, images = self.image_counts, self.image_parents
        if len(images) == 1:
            return images[0]
        return [
            _joined_maps([(levels, image) for levels, image in zip(counts, images, strict=True)], t)
            for t in range(self.depth)
        ]

    def partition(self, level: SupportsIndex) -> Int64[Tensor, " P"]:
        """Region of each leaf at a level: 0 are the leaves themselves, T the last.

        Raises:
            ValueError, TypeError: There is no such level.
        """
        level = self._checked(level)
        if level == self.depth:
            return self.cluster
        return composed(self.parents[:level], len(self.cluster), self.cluster.device)

    def at(self, level: SupportsIndex) -> "Hierarchy":
        """The hierarchy that ends at a level.

        Raises:
            ValueError, TypeError: There is no such level.
        """
        level = self._checked(level)
        if level == self.depth:
            return self
        counts = self.image_counts
        kept = [levels[: level + 1] for levels in counts]
        maps = iter(self.parent.split([n for levels in counts for n in levels[:-1]]))
        parts = [
            parent
            for levels in counts
            for t, parent in enumerate(islice(maps, len(levels) - 1))
            if t < level
        ]
        return Hierarchy(
            torch.cat([self.parent[:0], *parts]),
            torch.tensor([n for levels in kept for n in levels], device="cpu"),
            self.num_levels.clamp(max=level),
            self.partition(level),
        )

    def sizes(self, level: SupportsIndex) -> Int64[Tensor, " n"]:
        """Leaves of each region at a level.

        Raises:
            ValueError, TypeError: There is no such level.
        """
        return self.partition(level).bincount(minlength=sum(self.num_regions(level)))

    def pool(
        self, values: Shaped[Tensor, "P *D"], level: SupportsIndex, reduce: str = "mean"
    ) -> Shaped[Tensor, "n *D"]:
        """Values of the leaves → of the regions at a level; differentiable.

        Args:
            values: [P, ...].
            level: t.
            reduce: `"mean"`, `"sum"`, `"min"` or `"max"`.

        Raises:
            ValueError: There is no such level or reduction, or not a value for every leaf.
        """
        if reduce not in ("mean", "sum", "min", "max"):
            raise ValueError(f"reduce must be 'mean', 'sum', 'min' or 'max', got {reduce!r}")
        self._check_length(values, len(self.cluster), "leaves")
        n = sum(self.num_regions(level))
        return scatter(values, self.partition(level), dim=0, dim_size=n, reduce=reduce)

    def lift(self, values: Shaped[Tensor, "n *D"], level: SupportsIndex) -> Shaped[Tensor, "P *D"]:
        """Values of the regions at a level → of the leaves; differentiable.

        Raises:
            ValueError: There is no such level, or not a value for every region.
        """
        level = self._checked(level)
        self._check_length(values, sum(self.num_regions(level)), f"regions of level {level}")
        return values.index_select(0, self.partition(level))

    def cut(self, score: Sequence[Shaped[Tensor, " _"]]) -> Int64[Tensor, " P"]:
        """The partition into regions of any levels whose scores have the largest sum.

        A region is taken whole where its score is at least the best sum within it, so that of
        equally good cuts the one into fewer regions is found. Sums are in float64.

        Args:
            score: For each level 0 … T, [n_t] scores of its regions.

        Returns:
            Region of each leaf, numbered in the order of their first leaves.

        Raises:
            ValueError: There is not a score for every region of every level.
        """
        device = self.cluster.device
        host = exact_device(device)
        if host != device:
            return self.to(host).cut([values.to(host) for values in score]).to(device)
        parents = self.parents
        if len(score) != len(parents) + 1:
            raise ValueError(
                f"expected scores of {len(parents) + 1} levels, the leaves' included, "
                f"got {len(score)}"
            )
        for level, values in enumerate(score):
            self._check_length(values, sum(self.num_regions(level)), f"regions of level {level}")
        best = score[0].double()
        whole = [torch.ones_like(best, dtype=torch.bool)]
        for parent, values in zip(parents, score[1:], strict=True):
            within = scatter(best, parent, dim=0, dim_size=len(values), reduce="sum")
            whole.append(values >= within)
            best = torch.maximum(values.double(), within)
        # from the top: whose region each node lies in, by number of (level, region); −1: none yet
        first = list(accumulate(map(len, score), initial=0))
        owner = torch.full_like(self.cluster[:1], -1).expand(len(score[-1]))
        for level in range(len(parents), -1, -1):
            if level < len(parents):
                owner = owner.index_select(0, parents[level])
            own = torch.arange(len(score[level]), device=owner.device) + first[level]
            owner = torch.where((owner < 0) & whole[level], own, owner)
        return renumbered_by_first(owner)

    def _checked(self, level: SupportsIndex) -> int:
        level = integer(level, "level", minimum=None)
        if not 0 <= level <= self.depth:
            raise ValueError(f"level must be in 0 … {self.depth}, got {level}")
        return level

    @staticmethod
    def _check_length(values: Tensor, expected: int, what: str) -> None:
        if values.dim() == 0 or len(values) != expected:
            raise ValueError(f"expected values of {expected} {what}, got {list(values.shape)}")


def composed(
    parents: Sequence[Int64[Tensor, " _"]], num_leaves: int, device: torch.device | None = None
) -> Int64[Tensor, " leaves"]:
    """Region of each leaf after some parent maps."""
    if not parents:
        return torch.arange(num_leaves, device=device)
    region = parents[0]
    for parent in parents[1:]:
        region = parent.index_select(0, region)
    return region


def renumbered_by_first(label: Int64[Tensor, " P"]) -> Int64[Tensor, " P"]:
    """Labels as 0 … N − 1, in the order in which they first occur."""
    _, label = label.unique(return_inverse=True)
    place = torch.arange(len(label), device=label.device)
    first = scatter(place, label, dim=0, reduce="min")
    rank = torch.empty_like(first)
    rank[first.argsort()] = torch.arange(len(first), device=label.device)
    return rank.index_select(0, label)


def _joined_maps(images: list[tuple[list[int], list[Tensor]]], level: int) -> Int64[Tensor, " _"]:
    """One level's map of a whole batch; the identity where an image has ended."""
    start, parts = 0, []
    device = next((maps[0].device for _, maps in images if maps), None)
    for counts, maps in images:
        if level < len(maps):
            parts.append(maps[level] + start)
            start += counts[level + 1]
        else:
            parts.append(torch.arange(start, start + counts[-1], device=device))
            start += counts[-1]
    return torch.cat(parts)
