"""Image → grid graph."""

from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform

from spitgraph.grid import grid_graph
from spitgraph.images import ImageLike, checked_image
from spitgraph.transforms.base import ImageTransform


@functional_transform("to_grid_graph")
class ToGridGraph(ImageTransform):
    r"""Convert an image to the graph of its pixels (functional name: `to_grid_graph`).

    A node a pixel, an edge between 4-neighbours. The colours are there twice: transforms that
    follow may change `x`, while `pixels` stay the picture. `ContractSuperpixels` contracts the
    result.

    ```python
    import torch_geometric.transforms as T
    from spitgraph.transforms import ContractSuperpixels, ToGridGraph

    tokenize = T.Compose([ToGridGraph(), T.NormalizeFeatures(), ContractSuperpixels()])
    ```
    """

    def forward(self, image: ImageLike) -> Data:
        """Grid graph of one image.

        Args:
            image: A tensor [3, H, W], or anything else `load_image` takes.

        Returns:
            `Data` with `x` and `pixels` [H·W, 3] float32 (RGB in [0, 1]), `pos` [H·W, 2] float32
            (x, y in pixels), `edge_index` [2, E] int64 (both directions, sorted) and `image_size`
            [1, 2] int64 (H, W).

        Raises:
            ValueError, TypeError: The input is not one image; see `load_image`.
        """
        return grid_graph(checked_image(image))
