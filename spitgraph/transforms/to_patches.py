"""Image → square patches."""

from torch_geometric.data.datapipes import functional_transform

from spitgraph.tokenizers import PatchTokenizer
from spitgraph.transforms.base import TokenizerTransform


@functional_transform("to_patches")
class ToPatches(TokenizerTransform):
    r"""Convert an image to square patches (functional name: `to_patches`).

    `PatchTokenizer` as a transform, usable wherever PyG's `ToSLIC` is.

    Args:
        patch_size: Side ρ of a patch in pixels.

    Raises:
        ValueError, TypeError: The patch size is not a whole number of at least 1.
    """

    def __init__(self, patch_size: int = 16) -> None:
        self.tokenizer = PatchTokenizer(patch_size)
