"""Random Voronoi cells: irregular tokens that do not follow the image (METHOD 6)."""

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from spitgraph.checks import integer
from spitgraph.extensions import nearest_seed
from spitgraph.grid import pixel_positions
from spitgraph.hierarchy import Hierarchy
from spitgraph.tokenizers.base import Tokenizer


class VoronoiTokenizer(Tokenizer):
    """Give every pixel to the nearest of K random seeds, drawn uniformly over the image.

    Cells that got no pixel disappear, so an image may have fewer than K tokens.

    Args:
        num_tokens: Seeds K an image.
        generator: Source of the seeds, drawn image by image; PyTorch's global one if None.

    Raises:
        ValueError, TypeError: The count is not a whole number of at least 1.
    """

    def __init__(self, num_tokens: int = 196, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.num_tokens = integer(num_tokens, "num_tokens")
        self.generator = generator

    def hierarchy(self, images: list[Shaped[Tensor, "3 _H _W"]]) -> Hierarchy:
        """Cell of each pixel of every image, as a hierarchy of one level."""
        cells, counts = zip(*map(self._cells, images), strict=True)
        return Hierarchy.from_partition(cells, counts)

    def _cells(self, image: Shaped[Tensor, "3 H W"]) -> tuple[Int64[Tensor, " HW"], int]:
        height, width = image.shape[1:]
        source = torch.device("cpu") if self.generator is None else self.generator.device
        seeds = torch.rand(
            self.num_tokens, 2, dtype=torch.float64, generator=self.generator, device=source
        )
        # pixel (x, y) covers [x − ½, x + ½] × [y − ½, y + ½]
        seeds = (seeds * seeds.new_tensor([width, height]) - 0.5).to(image.device)
        cell = nearest_seed(pixel_positions(height, width, image.device).double(), seeds)
        found, cell = torch.unique(cell, return_inverse=True)
        return cell, len(found)

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        return f"num_tokens={self.num_tokens}"
