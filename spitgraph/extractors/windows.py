"""φ for transformers trained on square patches: a window at each token (METHOD 4.6)."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from spitgraph.batching import image_offsets, with_node_attribute
from spitgraph.checks import channel_statistics, integer
from spitgraph.data import TokenData
from spitgraph.extractors.base import Extractor
from spitgraph.pixel_map import stored

CHANNELS = ("red", "green", "blue")


class WindowExtractor(Extractor):
    """The square of side×side pixels round the centre of each token, normalised, as it is.

    What a region is, its window only centres on: nothing is stretched or masked. So a pretrained
    ViT, which has only ever seen whole squares of a picture, reads tokens of any shape as it reads
    its own patches; on patches of the same side the windows are the patches. Neighbouring windows
    may overlap, and a large region is seen by its middle. Beyond its borders the picture goes on
    with the pixels there.

    Works for any tokenizer, any partition and mixed image sizes; differentiable with respect to
    `pixels`. An image's vectors do not depend on its batch.

    Args:
        side: Pixels a side.
        mean: What is subtracted from red, green and blue in [0, 1].
        std: What they are then divided by.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    def __init__(
        self,
        side: int = 16,
        *,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.side = integer(side, "side")
        statistics = channel_statistics(mean, std)
        self.mean = None if statistics is None else statistics[0]
        self.std = None if statistics is None else statistics[1]

    @property
    def layout(self) -> Mapping[str, slice]:
        """Red, green and blue of each pixel of the window, row by row: pixels outside."""
        length = 3 * self.side**2
        return {name: slice(place, length - 2 + place, 3) for place, name in enumerate(CHANNELS)}

    def forward(self, tokens: TokenData) -> TokenData:
        """The same tokens (or batch of them) with `x` [N, 3·side²] set.

        Args:
            tokens: Token graphs that hold their pixels.

        Returns:
            A shallow copy; `x` has the dtype of `pixels`.

        Raises:
            ValueError: The pixels or the tokens' positions were dropped.
        """
        if not isinstance(tokens, TokenData):
            raise TypeError(f"expected TokenData or a Batch of it, got {type(tokens).__name__}")
        pixels, pos = stored(tokens, "pixels"), stored(tokens, "pos")
        sizes = stored(tokens, "image_size").to(pos.device)
        counts = image_offsets(tokens, len(pos), pos.device).diff()
        areas = sizes.prod(dim=1)
        first = (areas.cumsum(0) - areas).repeat_interleave(counts)  # pixel of each token's image
        height, width = sizes.repeat_interleave(counts, dim=0).unbind(1)
        row = window_lines(pos[:, 1], height, self.side)
        column = window_lines(pos[:, 0], width, self.side)
        start = first[:, None] + row * width[:, None]  # [N, side]
        index = start[:, :, None] + column[:, None, :]  # [N, side, side]
        windows = pixels.index_select(0, index.flatten())  # [N·side², 3]
        if self.mean is not None and self.std is not None:
            windows = (windows - windows.new_tensor(self.mean)) / windows.new_tensor(self.std)
        return with_node_attribute(tokens, "x", windows.view(len(pos), -1))

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        colours = "" if self.mean is None else f", mean={self.mean}, std={self.std}"
        return f"side={self.side}{colours}"


def window_lines(
    centre: Float[Tensor, " N"], extent: Int64[Tensor, " N"], side: int
) -> Int64[Tensor, "N side"]:
    """Rows (or columns) of the windows, those beyond the picture replaced by its last.

    Args:
        centre: Row (or column) of each centroid, in pixels.
        extent: Height (or width) of its image.
        side: How many.
    """
    first = (centre.double() - (side - 1) / 2 + 0.5).floor().long()
    lines = first[:, None] + torch.arange(side, device=centre.device)
    return torch.minimum(lines.clamp(min=0), extent[:, None] - 1)
