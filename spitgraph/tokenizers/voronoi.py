"""Random Voronoi cells: irregular tokens that do not follow the image (METHOD 6)."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from spitgraph.checks import integer
from spitgraph.extensions import nearest_seed
from spitgraph.grid import pixel_positions
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

    def hierarchies(self, images: list[Float[Tensor, "3 _H _W"]]) -> list[list[Tensor]]:
        """Cell of each pixel of every image, as a hierarchy of one level."""
        return [[self._cells(image)] for image in images]

    def _cells(self, image: Float[Tensor, "3 H W"]) -> Int64[Tensor, " HW"]:
        height, width = image.shape[1:]
        source = torch.device("cpu") if self.generator is None else self.generator.device
        seeds = torch.rand(
            self.num_tokens, 2, dtype=torch.float64, generator=self.generator, device=source
        )
        # pixel (x, y) covers [x − ½, x + ½] × [y − ½, y + ½]
        seeds = (seeds * seeds.new_tensor([width, height]) - 0.5).to(image.device)
        cell = nearest_seed(pixel_positions(height, width, image.device).double(), seeds)
        return torch.unique(cell, return_inverse=True)[1]

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        return f"num_tokens={self.num_tokens}"
