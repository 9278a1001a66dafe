"""What the transforms that begin with an image share."""

from typing import Any

from torch_geometric.transforms import BaseTransform

from spitgraph.data import TokenData
from spitgraph.images import ImagesLike
from spitgraph.tokenizers import Tokenizer


class ImageTransform(BaseTransform):
    """A transform of an image, which is read and not changed."""

    def __call__(self, image: Any) -> Any:
        """The transformed image, not copied before as in PyG, which would cut its gradient."""
        return self.forward(image)


class TokenizerTransform(ImageTransform):
    """A tokenizer as a transform."""

    tokenizer: Tokenizer

    def forward(self, image: ImagesLike) -> TokenData:
        """Token graph of an image.

        Args:
            image: A tensor [3, H, W] as for PyG's `ToSLIC`, or anything else `load_images` takes.

        Returns:
            `TokenData`; for a batch or list, a PyG `Batch` of them.

        Raises:
            ValueError, TypeError: The input is not images; see `load_images`.
        """
        return self.tokenizer(image)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.tokenizer.extra_repr()})"
