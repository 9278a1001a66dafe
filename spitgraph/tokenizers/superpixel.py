"""Superpixel tokens: the grid graph, contracted level by level."""

from typing import Any

from jaxtyping import Shaped
from torch import Tensor

from spitgraph.contraction import Settings, contract
from spitgraph.hierarchy import Hierarchy
from spitgraph.settings import takes_settings
from spitgraph.tokenizers.base import Tokenizer


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

    def hierarchy(self, images: list[Shaped[Tensor, "3 _H _W"]]) -> Hierarchy:
        """Nested superpixels of a batch; see `Tokenizer`."""
        return contract(images, self.settings)

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        return str(self.settings)
