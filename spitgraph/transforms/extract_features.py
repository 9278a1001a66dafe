"""Token graph → token graph with vectors."""

from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from spitgraph.data import TokenData
from spitgraph.extractors import InterpolationExtractor


@functional_transform("extract_features")
class ExtractFeatures(BaseTransform):
    r"""Set the vectors `x` of a token graph (functional name: `extract_features`).

    `InterpolationExtractor` as a transform (METHOD 4).

    Args:
        bins: β, bins a side, at least 2.
        gradient: Whether the gradient histogram is part of the vector.
        sigma: Standard deviation of the histograms' Gaussian, in units of half the longer side;
            by default 0.8/β, which of 16 bins is 0.05.
        mode: `"bilinear"` or `"nearest"`.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    def __init__(
        self,
        bins: int = 16,
        *,
        gradient: bool = True,
        sigma: float | None = None,
        mode: str = "bilinear",
    ) -> None:
        self.extractor = InterpolationExtractor(bins, gradient=gradient, sigma=sigma, mode=mode)

    def forward(self, data: TokenData) -> TokenData:
        """The same tokens, `x` set.

        Args:
            data: Token graph (or batch of them) that holds its pixels.

        Raises:
            ValueError: The pixels were dropped.
        """
        return self.extractor(data)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extractor.extra_repr()})"
