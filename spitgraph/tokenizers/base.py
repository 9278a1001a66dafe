"""What every tokenizer τ does: images in, token graphs out."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from spitgraph.data import TokenData, tokens_from_hierarchy
from spitgraph.hierarchy import Hierarchy
from spitgraph.images import ImagesLike, checked_images


class Tokenizer(nn.Module, ABC):
    """A partition of images into tokens; a module without parameters."""

    @abstractmethod
    def hierarchy(self, images: list[Shaped[Tensor, "3 _H _W"]]) -> Hierarchy:
        """The nested partitions of a batch whose last level becomes tokens.

        Args:
            images: RGB, uint8 or float32 in [0, 1], on one device. Their memory may be the
                caller's: they are not to be written to.
        """

    def forward(self, images: ImagesLike) -> TokenData:
        """Token graphs of images.

        Args:
            images: Anything `spitgraph.images.load_images` takes.

        Returns:
            `TokenData` for one image; for a batch or list, a PyG `Batch` of them.

        Raises:
            ValueError, TypeError: The input is not images; see `load_images`.
        """
        checked, is_batch = checked_images(images)
        with torch.no_grad():
            hierarchy = self.hierarchy([image.detach() for image in checked])
        return tokens_from_hierarchy(checked, hierarchy, is_batch=is_batch)
