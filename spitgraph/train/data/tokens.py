"""Token graphs of a batch of examples, each drawn by its own seed."""

from collections.abc import Sequence

import torch
from jaxtyping import Float64, Int64, Shaped
from torch import Tensor

from spitgraph.attributes import ATTRIBUTES
from spitgraph.batching import without_attribute
from spitgraph.data import TokenData
from spitgraph.extractors import Extractor
from spitgraph.hierarchy import Hierarchy
from spitgraph.tokenizers import SuperpixelTokenizer, VoronoiTokenizer
from spitgraph.tokenizers.base import Tokenizer

#: What models read of tokens; see `TokenEmbedder` and `Backbone`.
READ = ("x", "edge_index", "edge_attr", "pos", "size", "image_size")


def tokens_of(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    seeds: Int64[Tensor, " B"],
    tokenizer: Tokenizer,
    extractor: Extractor | None = None,
    region_noise: float = 0.0,
) -> TokenData:
    """The token graphs of examples, as a batch.

    Args:
        images: RGB, uint8 or float32 in [0, 1].
        seeds: [B], what a tokenizer that draws at random draws each picture's tokens by.
        tokenizer: τ.
        extractor: φ; where it is given, the batch holds `x` and what else models read, and
            neither pixels nor the map of them any more.
        region_noise: See `NoisyRegions`.
    """
    tokens = seeded(tokenizer, seeds, region_noise)(list(images))
    return tokens if extractor is None else lightened(extractor(tokens))


def lightened(tokens: TokenData) -> TokenData:
    """Tokens without what no model reads: every tensor costs a worker's batch time on its way."""
    for name in ATTRIBUTES:
        if name in tokens and name not in READ:
            tokens = without_attribute(tokens, name)
    return tokens


def seeded(
    tokenizer: Tokenizer, seeds: Int64[Tensor, " B"], region_noise: float = 0.0
) -> Tokenizer:
    """A tokenizer for pictures with seeds: Voronoi cells follow from these, others as they are.

    Where cells are drawn from a generator that all pictures share, those of one depend on the
    pictures before it. With `region_noise`, superpixels follow from seeds too: `NoisyRegions`.
    """
    if type(tokenizer) is VoronoiTokenizer:
        return SeededCells(tokenizer.num_tokens, seeds)
    if region_noise and isinstance(tokenizer, SuperpixelTokenizer):
        return NoisyRegions(tokenizer, seeds, region_noise)
    return tokenizer


class NoisyRegions(Tokenizer):
    """Superpixels of pictures with noise, on the pictures without it: an augmentation.

    A shift moves squares over an object, so that every epoch cuts it otherwise; superpixels move
    along, and cut it the same way again. Noise in what is compared makes their borders vary where
    the picture does not decide.

    Args:
        tokenizer: What finds the regions.
        seeds: [B], what each picture's noise is drawn by.
        std: Standard deviation of the noise, of colours in [0, 1].
    """

    def __init__(self, tokenizer: Tokenizer, seeds: Int64[Tensor, " B"], std: float) -> None:
        super().__init__()
        self.tokenizer, self.seeds, self.std = tokenizer, seeds.tolist(), std

    def hierarchy(self, images: list[Shaped[Tensor, "3 _H _W"]]) -> Hierarchy:
        """Nested superpixels of the pictures with noise."""
        generator = torch.Generator()
        noisy = []
        for seed, image in zip(self.seeds, images, strict=True):
            noise = torch.randn(image.shape, generator=generator.manual_seed(seed))
            colour = image / 255 if image.dtype == torch.uint8 else image
            noisy.append((colour + self.std * noise.to(image.device)).clamp(0, 1))
        return self.tokenizer.hierarchy(noisy)


class SeededCells(VoronoiTokenizer):
    """Voronoi cells about points that each picture's own seed draws."""

    def __init__(self, num_tokens: int, seeds: Int64[Tensor, " B"]) -> None:
        super().__init__(num_tokens)
        self.seeds = seeds.tolist()

    def _seeds(self, sizes: list[tuple[int, int]]) -> list[Float64[Tensor, "K 2"]]:
        generator = torch.Generator()
        points = []
        for seed, (height, width) in zip(self.seeds, sizes, strict=True):
            drawn = torch.rand(
                self.num_tokens, 2, dtype=torch.float64, generator=generator.manual_seed(seed)
            )
            points.append(drawn * drawn.new_tensor([width, height]) - 0.5)
        return points
