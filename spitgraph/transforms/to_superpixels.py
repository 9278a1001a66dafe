"""Image → superpixel tokens."""

from collections.abc import Callable

from torch import Tensor
from torch_geometric.data.datapipes import functional_transform

from spitgraph.tokenizers import SuperpixelTokenizer
from spitgraph.transforms.base import TokenizerTransform


@functional_transform("to_superpixels")
class ToSuperpixels(TokenizerTransform):
    r"""Convert an image to its superpixel tokens (functional name: :obj:`to_superpixels`).

    `SuperpixelTokenizer` as a transform, usable wherever PyG's `ToSLIC` is:

    .. code-block:: python

        import torchvision.transforms as T
        from spitgraph.transforms import ToSuperpixels
        from torchvision.datasets import MNIST

        transform = T.Compose([T.ToTensor(), ToSuperpixels(num_tokens=75)])
        dataset = MNIST("/tmp/MNIST", download=True, transform=transform)

    Args:
        levels: Contraction steps T.
        num_tokens: Exact count K of tokens an image, in place of a count of levels.
        compactness: λ in [0, 1]; how much square regions are preferred to similar ones.
        similarity: Weight of an edge; see `SuperpixelTokenizer`.
        features: What is compared; see `SuperpixelTokenizer`.

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
        self.tokenizer = SuperpixelTokenizer(
            levels,
            num_tokens=num_tokens,
            compactness=compactness,
            similarity=similarity,
            features=features,
        )
