"""The state of one level: a batch of region graphs."""

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64, Shaped
from torch import Tensor

from spitgraph.colour import STEPS_PER_UNIT
from spitgraph.grid import pixel_edges, pixel_positions

#: Edges handled at a time: what is computed of them stays in a processor's cache.
EDGES_AT_A_TIME = 2**17
#: Pixels quantised at a time, for the same reason.
PIXELS_AT_A_TIME = 2**16


@dataclass
class RegionGraph:
    """Regions of a batch of images at one level, the images' regions one after the other.

    Everything is an exact integer, so that pooling does not depend on the order of additions.

    Attributes:
        sums: [C, n] int64, quantised comparison features summed over each region's pixels.
        size: [n] int64, pixels.
        box: [4, n] int64 (x_min, y_min, x_max, y_max; max exclusive), or None where not needed.
        edge_index: [2, E] int64, touching regions; each pair once, smaller number first.
        counts: Regions of each image.
        level: t; at level 0 regions are pixels.
    """

    sums: Int64[Tensor, "C n"]
    size: Int64[Tensor, " n"]
    box: Int64[Tensor, "4 n"] | None
    edge_index: Int64[Tensor, "2 E"]
    counts: list[int]
    level: int = 0

    @property
    def num_regions(self) -> int:
        """Regions of all images together."""
        return self.size.numel()

    @property
    def start(self) -> Int64[Tensor, " B"]:
        """Number of each image's first region."""
        counts = torch.tensor(self.counts, device=self.size.device)
        return counts.cumsum(0) - counts

    @property
    def image(self) -> Int64[Tensor, " n"]:
        """Which image a region belongs to."""
        return self.of_regions(torch.arange(len(self.counts), device=self.size.device))

    def of_regions(self, value: Shaped[Tensor, " B"]) -> Shaped[Tensor, " n"]:
        """A value of each image, for every region; of one image it is expanded, in no memory."""
        if len(self.counts) == 1:
            return value.expand(self.num_regions)
        counts = torch.tensor(self.counts, device=value.device)
        return value.repeat_interleave(counts, output_size=self.num_regions)


def quantise(features: Float64[Tensor, "C HW"]) -> Int64[Tensor, "C HW"]:
    """Features as whole steps: far coarser than float64 rounding, so that devices agree."""
    steps = torch.empty_like(features, dtype=torch.int64)
    for start in range(0, features.shape[1], PIXELS_AT_A_TIME):
        part = slice(start, start + PIXELS_AT_A_TIME)
        steps[:, part] = (features[:, part] * STEPS_PER_UNIT).round_()
    return steps


def grid_edges(
    sizes: list[tuple[int, int]], device: torch.device | None = None
) -> Int64[Tensor, "2 E"]:
    """Pixel edges of a batch of grids of the given (H, W), each once."""
    edges, start = [], 0
    for height, width in sizes:
        edges.append(pixel_edges(height, width, device).add_(start))
        start += height * width
    return edges[0] if len(edges) == 1 else torch.cat(edges, dim=1)


def level_zero(
    features: list[Float64[Tensor, "C _"]],
    sizes: list[tuple[int, int]],
    *,
    edge_index: Int64[Tensor, "2 E"] | None = None,
    with_boxes: bool = False,
) -> RegionGraph:
    """The pixels of a batch of images as regions.

    Args:
        features: [C, H·W] float64 per image, row by row.
        sizes: (H, W) per image.
        edge_index: Undirected edges, each once, in place of the grid's own.
        with_boxes: Whether the boxes that compactness needs are kept.
    """
    steps = [quantise(f) for f in features]
    sums = steps[0] if len(steps) == 1 else torch.cat(steps, dim=1)
    device = sums.device
    counts = [height * width for height, width in sizes]
    if edge_index is None:
        edge_index = grid_edges(sizes, device)
    box = None
    if with_boxes:
        corner = torch.cat([pixel_positions(h, w, device) for h, w in sizes]).t()
        box = torch.cat([corner, corner + 1])
    one = torch.ones((), dtype=torch.int64, device=device)  # expanded, it takes no memory
    return RegionGraph(
        sums=sums,
        size=one.expand(sums.shape[1]),
        box=box,
        edge_index=edge_index,
        counts=counts,
    )
