"""Grid graph → superpixel tokens."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from spitgraph.contraction import Settings, contract, contract_graph, level_zero
from spitgraph.contraction.fine import contract_fine
from spitgraph.contraction.graph import quantise
from spitgraph.contraction.operator import check_count
from spitgraph.data import TokenData, tokens_from_hierarchy
from spitgraph.hierarchy import Hierarchy
from spitgraph.pixels import checked_features, comparison_features
from spitgraph.settings import takes_settings
from spitgraph.transforms.pixel_graph import grid_size, picture, undirected_edges


@functional_transform("contract_superpixels")
@takes_settings
class ContractSuperpixels(BaseTransform):
    r"""Contract a pixel graph into superpixel tokens.

    The second half of `SuperpixelTokenizer` (functional name: `contract_superpixels`): a graph
    just made by `ToGridGraph` gives the same tokens, bit for bit. In between, other transforms or
    the user may change

    - the edges. Pixels merge along edges only, so that those removed at known borders stay borders,
      and regions are connected in the graph that came in;
    - `x`, which `features=None` compares as it stands. The picture is `data.pixels`, or `x` where
      there is none.

    `y`, and what else describes the image as a whole, is handed on to the tokens.

    Args:
        levels: Contraction steps T.
        features: What is compared; see `Settings`. None for the node features `x`.
        options: By name, the other fields of `spitgraph.contraction.Settings`: `num_tokens` (exact
            count K, in place of levels), `compactness`, `similarity` and `quality`.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    def __init__(
        self,
        levels: int = 4,
        *,
        features: str | Callable[[Tensor], Tensor] | None = "lab",
        **options: Any,
    ) -> None:
        compared = "lab" if features is None else features
        self.settings = Settings(levels, features=compared, **options)
        self.features = features

    def forward(self, data: Data) -> TokenData:
        """Tokens of one pixel graph.

        Args:
            data: `Data` with `image_size` [1, 2], `edge_index` [2, E] in one direction or both, and
                `pixels` or `x` [H·W, 3] float, RGB in [0, 1], row by row.

        Raises:
            TypeError: The input is no `Data`, or its attributes have another dtype.
            ValueError: An attribute is missing, does not fit the image's size, or is out of range;
                or `num_tokens` are more than the pixels, or fewer than the graph's components.
        """
        height, width = grid_size(data)
        image = picture(data, height, width)
        edge_index = undirected_edges(data)
        if self.features is not None and is_grid(edge_index, height, width):
            hierarchy = contract([image.detach()], self.settings)
        else:
            check_count([(height, width)], self.settings)
            with torch.no_grad():
                features = self._comparison_features(data, image.detach())
                hierarchy = self._contracted(features, height, width, edge_index)
                hierarchy = hierarchy.to(image.device)
        tokens = tokens_from_hierarchy([image], hierarchy, is_batch=False)
        for key, value in data.to_dict().items():
            if key not in tokens and describes_image(data, key):
                tokens[key] = value
        return tokens

    def _contracted(
        self,
        features: Float64[Tensor, "C HW"],
        height: int,
        width: int,
        edge_index: Int64[Tensor, "2 E"],
    ) -> Hierarchy:
        size = (height, width)
        if self.settings.is_fine:
            if not is_grid(edge_index, height, width):
                raise ValueError("quality='fine' takes the whole grid: some of its edges are gone")
            assert self.settings.num_tokens is not None
            lab = self.features == "lab"
            return contract_fine([quantise(features)], [size], self.settings.num_tokens, lab=lab)
        boxes = self.settings.compactness > 0
        edges = edge_index.to(features.device)
        graph = level_zero([features], [size], edge_index=edges, with_boxes=boxes)
        return contract_graph(graph, self.settings)

    def _comparison_features(
        self, data: Data, image: Float[Tensor, "3 H W"]
    ) -> Float64[Tensor, "C HW"]:
        if self.features is not None:
            return comparison_features(image, self.features, self.settings.similarity)
        if data.x is None:
            raise ValueError("features=None compares data.x, which is not set")
        return checked_features(data.x.detach(), image)

    def __repr__(self) -> str:
        arguments = str(self.settings)
        if self.features is None:
            arguments = arguments.replace("features='lab'", "features=None")
        return f"{type(self).__name__}({arguments})"


def is_grid(edge_index: Int64[Tensor, "2 E"], height: int, width: int) -> bool:
    """Whether undirected edges, each listed once, are those between all 4-neighbours of a grid."""
    u, v = edge_index
    if u.numel() != height * (width - 1) + (height - 1) * width:
        return False
    beside = (v - u == 1) & (v % width != 0)
    return bool((beside | (v - u == width)).all())


def describes_image(data: Data, key: str) -> bool:
    """Whether an attribute belongs to the image as a whole, rather than to pixels or edges."""
    return key == "y" or not (data.is_node_attr(key) or data.is_edge_attr(key))
