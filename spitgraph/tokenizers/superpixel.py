"""Superpixel tokens: the grid graph, contracted level by level."""

from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from spitgraph.contraction import Settings, contract
from spitgraph.contraction.start import contract_from
from spitgraph.data import TokenData, tokens_from_hierarchy
from spitgraph.hierarchy import Hierarchy
from spitgraph.images import ImagesLike, checked_images
from spitgraph.settings import takes_settings
from spitgraph.tokenizers.base import Tokenizer
from spitgraph.tokenizers.links import starts


@takes_settings
class SuperpixelTokenizer(Tokenizer):
    """Contract the grid graph of an image into superpixels (METHOD 1–3; Aasan et al. 2024, §2.1).

    At every level each region merges with the neighbour it resembles most. The same image gives the
    same tokens, bit for bit, in any batch, on any device and number of threads.

    Args:
        levels: Contraction steps T. T = 4 gives tokens of about the size of 14×14 patches.
        options: By name, the other fields of `spitgraph.contraction.Settings`: `num_tokens` (exact
            count K, in place of levels), `compactness`, `similarity`, `features` and `quality`.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    def __init__(self, levels: int = 4, **options: Any) -> None:
        super().__init__()
        self.settings = Settings(levels, **options)

    def __getattr__(self, name: str) -> Any:
        settings = self.__dict__.get("settings")
        if settings is not None and name in vars(settings):
            return getattr(settings, name)
        return super().__getattr__(name)

    def forward(
        self,
        images: ImagesLike,
        *,
        partition: Any = None,
        must_link: Any = None,
        cannot_link: Any = None,
    ) -> TokenData:
        """Token graphs of images, if wanted from given regions on (METHOD 2.10).

        A list of images takes a list of each of the others, of which any may be None.

        Args:
            images: Anything `spitgraph.images.load_images` takes.
            partition: Label maps as for `from_partition`. Contraction begins at their regions,
                which become level 1 of the hierarchy, numbered by their first pixels; `levels` are
                the steps from there.
            must_link: Pairs that are merged before anything else, touching or not: labels of the
                partition [k, 2], or pixels [k, 2, 2] as (x, y). They make a level of their own.
            cannot_link: Pairs that never come into one token, given likewise.

        Returns:
            `TokenData` for one image; for a batch or list, a PyG `Batch` of them.

        Raises:
            ValueError: Labels or pairs do not fit the images, a pair is to be both merged and kept
                apart, or `num_tokens` are more than there are regions to begin with, or fewer than
                contraction leads to.
            TypeError: The input is not images, or labels or pairs are not integers.
        """
        if partition is None and must_link is None and cannot_link is None:
            return super().forward(images)
        checked, is_batch = checked_images(images)
        begin = starts(
            checked,
            partition,
            must_link,
            cannot_link,
            is_batch=is_batch,
            num_tokens=self.settings.num_tokens,
        )
        with torch.no_grad():
            hierarchy = contract_from([i.detach() for i in checked], begin, self.settings)
        return tokens_from_hierarchy(checked, hierarchy, is_batch=is_batch)

    def hierarchy(self, images: list[Shaped[Tensor, "3 _H _W"]]) -> Hierarchy:
        """Nested superpixels of a batch; see `Tokenizer`."""
        return contract(images, self.settings)

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        return str(self.settings)
