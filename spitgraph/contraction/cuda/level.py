"""The state of one level on a GPU; compare `spitgraph.contraction.graph`."""

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int, Int32, Int64
from torch import Tensor

from spitgraph.contraction.cuda.rows import CHOSEN, EDGES, MERGING, ROWS, SQUARES


@dataclass
class Level:
    """Regions of a batch of images at one level, the images' regions one after the other.

    Attributes:
        sums: [C, n] quantised features summed over each region.
        size: [n] pixels. At level 0 sizes, boxes and edges are those of the grid, and not stored.
        box: [4, n] (x_min, y_min, x_max, y_max; max exclusive), where compactness needs it.
        edges: [2, m] room for edges, the smaller number first.
        table: [4, B] where each image's regions are; see `spitgraph.kernels.cuda.programs`.
        tally: [4, B] what is counted; see `spitgraph.contraction.cuda.rows`.
        counts: Regions of each image.
        compactness: λ, or None where it is 0. A tensor: Triton passes numbers in single precision.
    """

    sums: Int[Tensor, "C n"]
    size: Int32[Tensor, " n"] | None
    box: Int32[Tensor, "4 n"] | None
    edges: Int32[Tensor, "2 m"] | None
    table: Int64[Tensor, "4 B"]
    tally: Int64[Tensor, "4 B"]
    counts: list[int]
    compactness: Float64[Tensor, ""] | None

    @property
    def channels(self) -> int:
        """Features of a region."""
        return self.sums.shape[0]

    @property
    def num_regions(self) -> int:
        """Regions of all images together."""
        return self.sums.shape[1]

    @property
    def num_images(self) -> int:
        """Images of the batch."""
        return len(self.counts)

    @property
    def launched(self) -> tuple[int, int]:
        """Elements and rows of a launch over the regions of each image."""
        return max(self.counts), self.num_images

    @property
    def room(self) -> int:
        """Edges that the list has room for."""
        assert self.edges is not None
        return self.edges.shape[1]

    @property
    def squares(self) -> Int64[Tensor, " B"]:
        """Sum of the squared sizes of each image's regions."""
        return self.tally[SQUARES.value]

    @property
    def merging(self) -> Int64[Tensor, " B"]:
        """Regions of each image that would merge."""
        return self.tally[MERGING.value]

    @property
    def chosen(self) -> Int64[Tensor, " B"]:
        """Edges chosen in each image."""
        return self.tally[CHOSEN.value]

    @property
    def num_edges(self) -> Int64[Tensor, " 1"]:
        """Edges in the list."""
        return self.tally[EDGES.value, :1]

    def report(self) -> tuple[list[int], int]:
        """Edges chosen in each image, and edges in the list. The host waits here."""
        images = self.num_images
        counted = self.tally.view(-1)[images * CHOSEN.value : images * EDGES.value + 1].tolist()
        return counted[:-1], counted[-1]


def level_zero(
    features_q: Int32[Tensor, "C P"],
    counts: list[int],
    table: Int64[Tensor, "4 B"],
    compactness: float,
) -> Level:
    """The pixels of a batch of images as regions."""
    device = features_q.device
    return Level(
        sums=features_q.contiguous(),
        size=None,
        box=None,
        edges=None,
        table=table,
        tally=empty_tally(len(counts), device),
        counts=counts,
        compactness=torch.full((), compactness, dtype=torch.float64, device=device)
        if compactness
        else None,
    )


def empty_level(channels: int, counts: list[int], table: Int64[Tensor, "4 B"]) -> Level:
    """Room for what is added up over regions, as yet nothing; no boxes and no edges.

    Args:
        channels: What is added up.
        counts: Regions of each image.
        table: Where they are.
    """
    num_regions, device = sum(counts), table.device
    return Level(
        sums=torch.zeros(channels, num_regions, dtype=torch.int64, device=device),
        size=torch.zeros(num_regions, dtype=torch.int32, device=device),
        box=None,
        edges=None,
        table=table,
        tally=empty_tally(len(counts), device),
        counts=counts,
        compactness=None,
    )


def empty_tally(images: int, device: torch.device) -> Int64[Tensor, "4 B"]:
    """Nothing counted yet."""
    return torch.zeros(ROWS, images, dtype=torch.int64, device=device)
