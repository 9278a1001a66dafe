"""Square patches, the control that a plain vision transformer uses."""

from jaxtyping import Float, Int64
from torch import Tensor

from spitgraph.checks import integer
from spitgraph.extensions import square_cells
from spitgraph.grid import pixel_positions
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

    def hierarchies(self, images: list[Float[Tensor, "3 _H _W"]]) -> list[list[Tensor]]:
        """Patch of each pixel of every image, as a hierarchy of one level."""
        return [[self._patches(image)] for image in images]

    def _patches(self, image: Float[Tensor, "3 H W"]) -> Int64[Tensor, " HW"]:
        height, width = image.shape[1:]
        position = pixel_positions(height, width, image.device)
        return square_cells(position, self.patch_size, width, height)

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        return f"patch_size={self.patch_size}"
