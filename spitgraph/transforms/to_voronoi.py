"""Image → random Voronoi cells."""

import torch
from torch_geometric.data.datapipes import functional_transform

from spitgraph.tokenizers import VoronoiTokenizer
from spitgraph.transforms.base import TokenizerTransform


@functional_transform("to_voronoi")
class ToVoronoi(TokenizerTransform):
    r"""Convert an image to random Voronoi cells (functional name: `to_voronoi`).

    `VoronoiTokenizer` as a transform, usable wherever PyG's `ToSLIC` is. In a `DataLoader` with
    workers leave the generator out: each worker has a stream of its own, which follows
    `torch.manual_seed`, while a generator would be copied and give every worker the same cells.

    Args:
        num_tokens: Seeds K an image.
        generator: Source of the seeds, PyTorch's global one if None.

    Raises:
        ValueError, TypeError: The count is not a whole number of at least 1.
    """

    def __init__(self, num_tokens: int = 196, *, generator: torch.Generator | None = None) -> None:
        self.tokenizer = VoronoiTokenizer(num_tokens, generator=generator)
