"""The loop over levels on a GPU; compare `spitgraph.contraction.hierarchy`.

The host waits once a level: to learn how many regions each image keeps, and how many edges there
are. It needs both for the sizes of the next level's arrays.
"""

from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Float64, Int, Int8, Int32, Int64
from torch import Tensor

from spitgraph.contraction.cuda import connect, reduce, select, weights
from spitgraph.contraction.hierarchy import check_headway
from spitgraph.kernels.cuda.jit import MOST_PIXELS, launch, on_device, on_own_device


@dataclass
class Level:
    """Regions of a batch of images at one level, the images' regions one after the other.

    Attributes:
        sums: [C, n] quantised features summed over each region.
        size: [n] pixels. At level 0 sizes, boxes and edges are those of the grid, and not stored.
        box: [4, n] (x_min, y_min, x_max, y_max; max exclusive), where compactness needs it.
        edges: [2, m] room for edges, the smaller number first.
        table: [4, B] number of each image's first region, count of its regions, height, width.
        tally: [3B + 1] per image: sum of the squared sizes, regions that would merge, edges
            chosen; and the number of edges.
        counts: Regions of each image.
    """

    sums: Int[Tensor, "C n"]
    size: Int32[Tensor, " n"] | None
    box: Int32[Tensor, "4 n"] | None
    edges: Int32[Tensor, "2 m"] | None
    table: Int64[Tensor, "4 B"]
    tally: Int64[Tensor, " T"]
    counts: list[int]

    @property
    def num_regions(self) -> int:
        """Regions of all images together."""
        return self.sums.shape[1]

    @property
    def squares(self) -> Int64[Tensor, " B"]:
        """Sum of the squared sizes of each image's regions."""
        return self.tally[: len(self.counts)]

    @property
    def merging(self) -> Int64[Tensor, " B"]:
        """Regions of each image that would merge."""
        return self.tally[len(self.counts) : 2 * len(self.counts)]

    @property
    def chosen(self) -> Int64[Tensor, " B"]:
        """Edges chosen in each image."""
        return self.tally[2 * len(self.counts) : -1]

    @property
    def report(self) -> Int64[Tensor, " R"]:
        """Edges chosen in each image, and the number of edges."""
        return self.tally[2 * len(self.counts) :]

    @property
    def edge_count(self) -> Int64[Tensor, " 1"]:
        """Number of edges."""
        return self.tally[-1:]


@dataclass
class Choice:
    """What each region of a level chose: bits of the weight, priority of the edge, its owner."""

    best: Int64[Tensor, " n"]
    priority: Int64[Tensor, " n"]
    owner: Int8[Tensor, " n"]
    parent: Int32[Tensor, " n"]


@dataclass
class Settings:
    """What stays the same over the levels.

    Attributes:
        similarity: Name of the edge weight.
        compactness: λ in [0, 1]; a tensor, for Triton passes numbers in single precision.
        compact: Whether λ is not 0.
        aside: Whether self-loops stand aside in images that lag behind.
    """

    similarity: str
    compactness: Float64[Tensor, ""]
    compact: bool
    aside: bool


@on_own_device
def contract(
    steps: Int32[Tensor, "C n"],
    heights: list[int],
    widths: list[int],
    levels: int,
    num_regions: int,
    similarity: str,
    compactness: float,
) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " _"], Int64[Tensor, " _"], list[int], list[int]]:
    """The hierarchy of every image; see `spitgraph.contraction.operator.superpixels`.

    Args:
        steps: [C, ΣH·W] quantised features, the images one after the other.
        heights: H of each image.
        widths: W of each image.
        levels: Contraction steps T, if no count is asked for.
        num_regions: Exact count K of regions at which each image stops, or 0.
        similarity: Name of the edge weight.
        compactness: λ in [0, 1].

    Returns:
        Region of each pixel, numbered over the batch; the parent maps one after the other, and
        their lengths; how many of them, and how many regions, each image has.

    Raises:
        ValueError: The batch has more pixels than 32 bits can number, or too many images.
    """
    device = steps.device
    level = level_zero(steps, heights, widths)
    settings = Settings(
        similarity=similarity,
        compactness=torch.full((), compactness, dtype=torch.float64, device=device),
        compact=compactness != 0,
        aside=num_regions > 0,
    )
    parents: list[list[Tensor]] = [[] for _ in heights]
    token = torch.arange(level.num_regions, device=device)
    counts = level.counts
    active, surplus = unfinished(counts, parents, levels, num_regions)
    while any(active):
        choice = choose(level, settings)
        *chosen, num_edges = level.report.tolist()  # the host waits here
        if surplus is not None and any(map(int.__gt__, chosen, surplus)):
            cut(level, choice, surplus)
            chosen = list(map(min, chosen, surplus))
        counts = list(map(int.__sub__, level.counts, chosen))
        if surplus is not None:
            check_headway(level.counts, counts, surplus)
        table = on_device([starts(counts), counts, heights, widths], device)
        cluster, parent = number(level, choice, table)
        token = cluster.long().index_select(0, token)
        for image, part in enumerate(parent.split(level.counts)):
            if active[image]:
                parents[image].append(part)
        active, surplus = unfinished(counts, parents, levels, num_regions)
        if any(active):
            level = pooled(level, settings, cluster, counts, table, num_edges)
    maps = [part for image in parents for part in image]
    hierarchy = torch.cat(maps) if maps else torch.empty(0, dtype=torch.int64, device=device)
    level_sizes = on_device([part.numel() for part in maps], device)
    return token, hierarchy, level_sizes, [len(image) for image in parents], counts


def unfinished(
    counts: list[int], parents: list[list[Tensor]], levels: int, num_regions: int
) -> tuple[list[bool], list[int] | None]:
    """Which images go on; and how many regions too many each has, where a count is asked for."""
    if num_regions == 0:
        return [len(image) < levels for image in parents], None
    surplus = [max(count - num_regions, 0) for count in counts]
    return [excess > 0 for excess in surplus], surplus


def starts(counts: list[int]) -> list[int]:
    """Number of each image's first region."""
    return list(accumulate(counts, initial=0))[:-1]


def level_zero(steps: Int32[Tensor, "C n"], heights: list[int], widths: list[int]) -> Level:
    """The pixels of a batch of images as regions."""
    counts = [height * width for height, width in zip(heights, widths, strict=True)]
    if sum(counts) > MOST_PIXELS:
        raise ValueError(f"a batch may have at most {MOST_PIXELS} pixels, got {sum(counts)}")
    return Level(
        sums=steps.contiguous(),
        size=None,
        box=None,
        edges=None,
        table=on_device([starts(counts), counts, heights, widths], steps.device),
        tally=torch.zeros(3 * len(counts) + 1, dtype=torch.int64, device=steps.device),
        counts=counts,
    )


def choose(level: Level, settings: Settings) -> Choice:
    """The edge that each region chooses; and in the tally how many there are."""
    n, most, images = level.num_regions, max(level.counts), len(level.counts)
    best, priority = level.sums.new_empty(2, n, dtype=torch.int64)
    if level.edges is None:
        launch(
            weights.strongest_neighbours, most, images,
            level.sums, level.table, best, priority, settings.compactness, n, images,
            CHANNELS=len(level.sums), SIMILARITY=settings.similarity, COMPACT=settings.compact,
        )  # fmt: skip
    else:
        choose_among_edges(level, settings, best, priority)
    choice = Choice(
        best=best,
        priority=priority,
        owner=torch.empty(n, dtype=torch.int8, device=best.device),
        parent=torch.empty(n, dtype=torch.int32, device=best.device),
    )
    launch(
        select.link, most, images,
        priority, level.table, None, choice.parent, choice.owner, level.chosen, images, CUT=False,
    )  # fmt: skip
    return choice


def choose_among_edges(
    level: Level, settings: Settings, best: Int64[Tensor, " n"], priority: Int64[Tensor, " n"]
) -> None:
    """Weight and priority of every region's strongest edge, from the list of edges."""
    assert level.edges is not None
    n, most, images = level.num_regions, max(level.counts), len(level.counts)
    room = level.edges.shape[1]
    mean = torch.empty_like(level.sums, dtype=torch.float64)
    self_weight = torch.empty_like(best)
    image_of = torch.empty(n, dtype=torch.int32, device=best.device)
    launch(
        weights.region_values, most, images,
        level.sums, level.size, level.box, level.table, level.squares, settings.compactness,
        mean, self_weight, best, priority, image_of, n, images,
        CHANNELS=len(mean), COMPACT=settings.compact,
    )  # fmt: skip
    edge_weight = best.new_empty(room)
    launch(
        weights.edge_weights, room, 1,
        mean, level.size, level.box, level.edges, level.edge_count, settings.compactness,
        edge_weight, best, n, room,
        CHANNELS=len(mean), SIMILARITY=settings.similarity, COMPACT=settings.compact,
    )  # fmt: skip
    if settings.aside:
        launch(
            select.count_merging, most, images,
            best, self_weight, level.table, level.merging, images,
        )  # fmt: skip
    launch(
        select.edge_priorities, room, 1,
        level.edges, level.edge_count, edge_weight, best, self_weight, image_of, level.table,
        level.merging, priority, room, images, ASIDE=settings.aside,
    )  # fmt: skip


def cut(level: Level, choice: Choice, surplus: list[int]) -> None:
    """Of the chosen edges, leave each image its strongest, as many as it has regions too many."""
    counts, at_most = on_device([level.counts, surplus], choice.best.device)
    keep = select.strongest_of_each_image(
        choice.best, choice.priority, choice.owner, counts, level.chosen, at_most
    )
    launch(
        select.link, max(level.counts), len(level.counts),
        choice.priority, level.table, keep, choice.parent, None, None, len(level.counts), CUT=True,
    )  # fmt: skip


def number(
    level: Level, choice: Choice, table: Int64[Tensor, "4 B"]
) -> tuple[Int32[Tensor, " n"], Int64[Tensor, " n"]]:
    """Cluster of every region, in order of their first ones: in the batch, and in its image.

    Args:
        level: The level.
        choice: What its regions chose.
        table: The next level's.
    """
    n, parent = level.num_regions, choice.parent
    first = torch.full_like(parent, n)
    launch(select.find_roots, n, 1, parent, first, n)
    first_of, is_first, cluster = parent.new_empty(3, n)
    launch(select.mark_first, n, 1, parent, first, first_of, is_first, n)
    parent_in_image = torch.empty(n, dtype=torch.int64, device=parent.device)
    launch(
        select.number_clusters, max(level.counts), len(level.counts),
        first_of, is_first.cumsum(0, dtype=torch.int32), level.table, table,
        cluster, parent_in_image, len(level.counts),
    )  # fmt: skip
    return cluster, parent_in_image


def pooled(
    level: Level,
    settings: Settings,
    cluster: Int32[Tensor, " n"],
    counts: list[int],
    table: Int64[Tensor, "4 B"],
    num_edges: int,
) -> Level:
    """The next level.

    Args:
        level: This one.
        settings: Whether boxes are needed.
        cluster: Next region of every region.
        counts: Next regions of each image.
        table: The next level's.
        num_edges: Edges of this level, if it is not the grid.
    """
    n, images, clusters = level.num_regions, len(counts), sum(counts)
    device = cluster.device
    box = None
    if settings.compact:
        box = torch.zeros(4, clusters, dtype=torch.int32, device=device)
        box[:2] = MOST_PIXELS
    grid = level.edges is None
    room = 2 * n if grid else num_edges
    result = Level(
        sums=torch.zeros(len(level.sums), clusters, dtype=torch.int64, device=device),
        size=torch.zeros(clusters, dtype=torch.int32, device=device),
        box=box,
        edges=torch.empty(2, room, dtype=torch.int32, device=device),
        table=table,
        tally=torch.zeros_like(level.tally),
        counts=counts,
    )
    launch(
        reduce.pool, max(level.counts), images,
        cluster, level.sums, level.size, level.box, level.table,
        result.sums, result.size, box, result.squares, n, clusters, images,
        CHANNELS=len(level.sums), COMPACT=settings.compact, PIXELS=grid,
    )  # fmt: skip
    slots = connect.empty_slots(clusters, device)
    if level.edges is None:
        launch(
            connect.connect_pixels, max(level.counts), images,
            cluster, level.table, slots, result.edges, result.edge_count, len(slots), room, images,
        )  # fmt: skip
    else:
        launch(
            connect.connect_regions, num_edges, 1,
            cluster, level.edges, level.edge_count, slots, result.edges, result.edge_count,
            level.edges.shape[1], len(slots), room,
        )  # fmt: skip
    return result
