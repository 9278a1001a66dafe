"""Square patches, the control that a plain vision transformer uses."""

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from spitgraph.checks import integer
from spitgraph.hierarchy import Hierarchy
from spitgraph.tokenizers.base import Tokenizer


class PatchTokenizer(Tokenizer):
    """Cut images into square patches, row by row.

    Sides that the patch size does not divide give smaller patches at the right and lower border.

    Args:
        patch_size: Side ρ of a patch in pixels.

    Raises:
        ValueError, TypeError: The patch size is not a whole number of at least 1.
    """

    def __init__(self, patch_size: int = 16) -> None:
        super().__init__()
        self.patch_size = integer(patch_size, "patch_size")

    def hierarchy(self, images: list[Shaped[Tensor, "3 _H _W"]]) -> Hierarchy:
        """Patch of each pixel of every image, as a hierarchy of one level."""
        sizes = [(image.shape[1], image.shape[2]) for image in images]
        patches = {size: self._patches(*size, images[0].device) for size in dict.fromkeys(sizes)}
        return Hierarchy.from_partition(
            [patches[size] for size in sizes], [self._num_patches(*size) for size in sizes]
        )

    def _patches(self, height: int, width: int, device: torch.device) -> Int64[Tensor, " HW"]:
        row, column = (
            torch.arange(side, device=device).div(self.patch_size, rounding_mode="floor")
            for side in (height, width)
        )
        return (row[:, None] * -(-width // self.patch_size) + column).flatten()

    def _num_patches(self, height: int, width: int) -> int:
        return -(-height // self.patch_size) * -(-width // self.patch_size)

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        return f"patch_size={self.patch_size}"
