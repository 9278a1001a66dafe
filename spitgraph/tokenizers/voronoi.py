"""Random Voronoi cells: irregular tokens that do not follow the image (METHOD 6)."""

from functools import partial

import torch
from jaxtyping import Float64, Int64, Shaped
from torch import Tensor

from spitgraph.checks import instance, integer
from spitgraph.extensions import nearest_seed
from spitgraph.grid import pixel_positions
from spitgraph.hierarchy import Hierarchy
from spitgraph.kernels import fused
from spitgraph.modes import exact_device
from spitgraph.tokenizers.base import Tokenizer


class VoronoiTokenizer(Tokenizer):
    """Give every pixel to the nearest of K random seeds, drawn uniformly over the image.

    Cells that got no pixel disappear, so an image may have fewer than K tokens.

    Args:
        num_tokens: Seeds K an image.
        generator: Source of the seeds, drawn image by image; PyTorch's global one if None.

    Raises:
        ValueError, TypeError: The count is not a whole number of at least 1, or the generator not
            one of a device with float64.
    """

    def __init__(self, num_tokens: int = 196, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.num_tokens = integer(num_tokens, "num_tokens")
        if generator is not None:
            instance(generator, torch.Generator, "generator", "a torch.Generator")
            if exact_device(generator.device) != generator.device:
                raise ValueError(f"generator must be of the CPU: {generator.device} has no float64")
        self.generator = generator

    def hierarchy(self, images: list[Shaped[Tensor, "3 _H _W"]]) -> Hierarchy:
        """Cell of each pixel of every image, as a hierarchy of one level."""
        sizes = [(image.shape[1], image.shape[2]) for image in images]
        device = exact_device(images[0].device)
        seeds = self._seeds(sizes)
        find = compiled_cells if device.type == "cpu" and fused(device, "cells") else plain_cells
        cells, counts = find(sizes, [some.to(device) for some in seeds])
        return Hierarchy.from_partition([cell.to(images[0].device) for cell in cells], counts)

    def _seeds(self, sizes: list[tuple[int, int]]) -> list[Float64[Tensor, "K 2"]]:
        """Seeds of every image, (x, y) in pixels, drawn image by image."""
        device = torch.device("cpu") if self.generator is None else self.generator.device
        draw = partial(torch.rand, dtype=torch.float64, generator=self.generator, device=device)
        if device.type == "cpu":  # one number after the other, however many are asked for
            drawn = draw(len(sizes), self.num_tokens, 2)
        else:
            drawn = torch.stack([draw(self.num_tokens, 2) for _ in sizes])
        sides = drawn.new_tensor([(width, height) for height, width in sizes])
        # pixel (x, y) covers [x − ½, x + ½] × [y − ½, y + ½]
        return list(drawn * sides[:, None] - 0.5)

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        return f"num_tokens={self.num_tokens}"


def plain_cells(
    sizes: list[tuple[int, int]], seeds: list[Float64[Tensor, "K 2"]]
) -> tuple[list[Int64[Tensor, " _"]], list[int]]:
    """Of each image, the cell of each pixel, and how many cells have one."""
    cells, counts = [], []
    for (height, width), some in zip(sizes, seeds, strict=True):
        position = pixel_positions(height, width, some.device).double()
        found, cell = torch.unique(nearest_seed(position, some), return_inverse=True)
        cells.append(cell)
        counts.append(len(found))
    return cells, counts


def compiled_cells(
    sizes: list[tuple[int, int]], seeds: list[Float64[Tensor, "K 2"]]
) -> tuple[list[Int64[Tensor, " _"]], list[int]]:
    """The same, compiled for the CPU."""
    from spitgraph.kernels.cpu.threads import for_each
    from spitgraph.tokenizers.cells import block_side, nearest_cells

    cells = [
        torch.empty(height * width, dtype=torch.int64, device="cpu") for height, width in sizes
    ]
    counts = [0] * len(sizes)

    def find(index: int) -> None:
        (height, width), some = sizes[index], seeds[index]
        side = block_side(height, width, len(some))
        counts[index] = nearest_cells(height, width, some.numpy(), side, cells[index].numpy())

    for_each(find, range(len(sizes)))
    return cells, counts
