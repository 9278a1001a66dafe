"""Superpixel tokens: the grid graph, contracted level by level."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from spitgraph.checks import integer, one_of, unit_interval
from spitgraph.contraction import SIMILARITIES, contract, level_zero
from spitgraph.contraction.graph import quantise
from spitgraph.data import TokenData
from spitgraph.images import unit_rgb
from spitgraph.kernels import fused
from spitgraph.pixels import FEATURES, comparison_features
from spitgraph.tokenizers.base import Tokenizer
from spitgraph.tokenizers.fused import fused_tokens

#: Images of more pixels are left to the plain path: kernels number pixels and edges in 32 bits.
MOST_PIXELS = 2**30


class SuperpixelTokenizer(Tokenizer):
    """Contract the grid graph of an image into superpixels (METHOD 1–3; Aasan et al. 2024, §2.1).

    At every level each region merges with the neighbour it resembles most. The same image gives the
    same tokens, bit for bit, in any batch, on any device and number of threads.

    Args:
        levels: Contraction steps T. T = 4 gives tokens of about the size of 14×14 patches.
        num_tokens: Exact count K of tokens an image, 1 … H·W, in place of a count of levels.
        compactness: λ in [0, 1]; how much square regions are preferred to similar ones.
        similarity: Weight of an edge: `"distance"`, `"ward"` or `"cosine"` (the authors').
        features: What is compared: `"lab"`, `"spit"` (the authors'), or a callable
            image [3, H, W] → [C, H, W] or [H·W, C] float.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    def __init__(
        self,
        levels: int = 4,
        *,
        num_tokens: int | None = None,
        compactness: float = 0.0,
        similarity: str = "distance",
        features: str | Callable[[Tensor], Tensor] = "lab",
    ) -> None:
        super().__init__()
        self.levels = integer(levels, "levels")
        self.num_tokens = None if num_tokens is None else integer(num_tokens, "num_tokens")
        self.compactness = unit_interval(compactness, "compactness")
        self.similarity = one_of(similarity, SIMILARITIES, "similarity")
        self.features = features if callable(features) else one_of(features, FEATURES, "features")

    def hierarchies(self, images: list[Float[Tensor, "3 _H _W"]]) -> list[list[Tensor]]:
        """Parent maps of every image; see `Tokenizer`."""
        sizes = [(image.shape[1], image.shape[2]) for image in images]
        self._check_budget(sizes)
        graph = level_zero(
            [comparison_features(image, self.features, self.similarity) for image in images],
            sizes,
            with_boxes=self.compactness > 0,
        )
        return contract(
            graph,
            levels=self.levels,
            num_regions=self.num_tokens,
            similarity=self.similarity,
            compactness=self.compactness,
        )

    def _tokens(self, checked: list[Shaped[Tensor, "3 _H _W"]], is_batch: bool) -> TokenData:
        sizes = [(image.shape[1], image.shape[2]) for image in checked]
        self._check_budget(sizes)
        largest = max(height * width for height, width in sizes)
        if fused(checked[0].device, "contraction") and largest <= MOST_PIXELS:
            images, steps = checked, None
            if self.features != "lab" or self.similarity == "cosine":
                images = [unit_rgb(image) for image in checked]
                steps = self._steps([image.detach() for image in images])
            if steps is None or steps.dtype == torch.int32:
                return fused_tokens(
                    images,
                    steps,
                    is_batch,
                    levels=self.levels,
                    num_tokens=self.num_tokens,
                    similarity=self.similarity,
                    compactness=self.compactness,
                )
        return super()._tokens(checked, is_batch)

    def _steps(self, images: list[Float[Tensor, "3 _H _W"]]) -> Shaped[Tensor, "C P"]:
        """Quantised features of a batch: int32, or int64 where some are too large for that."""
        with torch.no_grad():
            features = [comparison_features(im, self.features, self.similarity) for im in images]
            steps = torch.cat([quantise(f) for f in features], dim=1)
        low, high = steps.aminmax()
        fits = bool(low >= -(2**31)) and bool(high < 2**31)
        return steps.int() if fits else steps

    def _check_budget(self, sizes: list[tuple[int, int]]) -> None:
        for index, (height, width) in enumerate(sizes):
            if self.num_tokens is not None and self.num_tokens > height * width:
                raise ValueError(
                    f"num_tokens={self.num_tokens} is more than the {height * width} pixels of "
                    f"image {index} ({height}×{width})"
                )

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        count = f"num_tokens={self.num_tokens}" if self.num_tokens else f"levels={self.levels}"
        features = self.features if isinstance(self.features, str) else "callable"
        return (
            f"{count}, compactness={self.compactness:g}, similarity={self.similarity!r}, "
            f"features={features!r}"
        )
