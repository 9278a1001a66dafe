"""Image → superpixel tokens."""

from typing import Any

from torch_geometric.data.datapipes import functional_transform

from spitgraph.settings import takes_settings
from spitgraph.tokenizers import SuperpixelTokenizer
from spitgraph.transforms.base import TokenizerTransform


@functional_transform("to_superpixels")
@takes_settings
class ToSuperpixels(TokenizerTransform):
    r"""Convert an image to its superpixel tokens (functional name: `to_superpixels`).

    `SuperpixelTokenizer` as a transform, usable wherever PyG's `ToSLIC` is:

    ```python
    import torchvision.transforms as T
    from spitgraph.transforms import ToSuperpixels
    from torchvision.datasets import MNIST

    transform = T.Compose([T.ToTensor(), ToSuperpixels(num_tokens=75)])
    dataset = MNIST("/tmp/MNIST", download=True, transform=transform)
    ```

    Args:
        levels: Contraction steps T.
        options: By name, the other fields of `spitgraph.contraction.Settings`: `num_tokens` (exact
            count K, in place of levels), `compactness`, `similarity`, `features` and `quality`.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    def __init__(self, levels: int = 4, **options: Any) -> None:
        self.tokenizer = SuperpixelTokenizer(levels, **options)
