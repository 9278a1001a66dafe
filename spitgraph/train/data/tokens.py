"""Token graphs of a batch of examples, each drawn by its own seed."""

from collections.abc import Sequence

import torch
from jaxtyping import Float64, Int64, Shaped
from torch import Tensor

from spitgraph.attributes import ATTRIBUTES
from spitgraph.batching import without_attribute
from spitgraph.data import TokenData
from spitgraph.extractors import Extractor
from spitgraph.tokenizers import VoronoiTokenizer
from spitgraph.tokenizers.base import Tokenizer

#: What models read of tokens; see `TokenEmbedder` and `Backbone`.
READ = ("x", "edge_index", "edge_attr", "pos", "size", "image_size")


def tokens_of(
    images: Sequence[Shaped[Tensor, "3 _H _W"]],
    seeds: Int64[Tensor, " B"],
    tokenizer: Tokenizer,
    extractor: Extractor | None = None,
) -> TokenData:
    """The token graphs of examples, as a batch.

    Args:
        images: RGB, uint8 or float32 in [0, 1].
        seeds: [B], what a tokenizer that draws at random draws each picture's tokens by.
        tokenizer: τ.
        extractor: φ; where it is given, the batch holds `x` and what else models read, and
            neither pixels nor the map of them any more.
    """
    tokens = seeded(tokenizer, seeds)(list(images))
    return tokens if extractor is None else lightened(extractor(tokens))


def lightened(tokens: TokenData) -> TokenData:
    """Tokens without what no model reads: every tensor costs a worker's batch time on its way."""
    for name in ATTRIBUTES:
        if name in tokens and name not in READ:
            tokens = without_attribute(tokens, name)
    return tokens


def seeded(tokenizer: Tokenizer, seeds: Int64[Tensor, " B"]) -> Tokenizer:
    """A tokenizer for pictures with seeds: Voronoi cells follow from these, others as they are.

    Where cells are drawn from a generator that all pictures share, those of one depend on the
    pictures before it.
    """
    if type(tokenizer) is VoronoiTokenizer:
        return SeededCells(tokenizer.num_tokens, seeds)
    return tokenizer


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
