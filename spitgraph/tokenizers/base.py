"""What every tokenizer τ does: images in, token graphs out."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch_geometric.data import Batch

from spitgraph.data import TokenData, tokens_from_hierarchy
from spitgraph.images import ImagesLike, checked_images, unit_rgb
from spitgraph.memory import kept_at_hand


class Tokenizer(nn.Module, ABC):
    """A partition of images into tokens; a module without parameters."""

    @abstractmethod
    def hierarchies(self, images: list[Float[Tensor, "3 _H _W"]]) -> list[list[Tensor]]:
        """For every image, its parent maps: region of level t → region of level t + 1, int64."""

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
        return self._tokens(checked, is_batch)

    def _tokens(self, checked: list[Shaped[Tensor, "3 _H _W"]], is_batch: bool) -> TokenData:
        on_cpu = checked[0].device.type == "cpu"
        with kept_at_hand(sum(image[0].numel() for image in checked) if on_cpu else 0):
            images = [unit_rgb(image) for image in checked]
            with torch.no_grad():
                hierarchies = self.hierarchies([image.detach() for image in images])
            tokens = [
                tokens_from_hierarchy(image, parents)
                for image, parents in zip(images, hierarchies, strict=True)
            ]
            return Batch.from_data_list(tokens) if is_batch else tokens[0]
