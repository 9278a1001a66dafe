"""Attribution: how much each token, pixel and region has to do with a model's answer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, SupportsIndex

import torch
from jaxtyping import Float
from torch import Tensor

from spitgraph.checks import instance, one_of
from spitgraph.data import TokenData
from spitgraph.hierarchy import Hierarchy

if TYPE_CHECKING:
    import matplotlib.figure

REDUCTIONS = {"mean": "over the region's pixels", "sum": "what the region has in all"}


@dataclass(repr=False, eq=False)
class Attribution:
    """Scores of one image's tokens for one class; higher means that more depends on a token.

    Attributes:
        tokens: [N], a score a token.
        target: The class that the scores are about.
        method: Name of the method.
        token_data: The tokens that were explained.
        pixel_map: [H, W], where the method scores pixels (`tokens` are their sums or means); None
            where all pixels of a token share its score.
    """

    tokens: Float[Tensor, " N"]
    target: int
    method: str
    token_data: TokenData
    pixel_map: Float[Tensor, "H W"] | None = None

    @property
    def map(self) -> Float[Tensor, "H W"]:
        """[H, W]: the score of each pixel, its token's where the method knows no pixels.

        Raises:
            NotHeldError: The nodes of `token_data` are no longer the tokens of the image.
        """
        if self.pixel_map is not None:
            return self.pixel_map
        return self.tokens[self.token_data.seg[0]]

    def at_level(
        self, level: SupportsIndex, *, reduce: str = "mean", tree: Hierarchy | None = None
    ) -> Float[Tensor, " n"]:
        """Scores of the regions at a level of the image's hierarchy.

        Finer regions inherit their token's score, coarser ones pool it:

        * `"mean"`: the mean of `map` over the region's pixels;
        * `"sum"`: the sum of its pixels' shares, which adds up to the same at every level. A
          pixel's share is its own score where the method scores pixels, otherwise its token's over
          the token's size.

        Args:
            level: 0 for pixels, T for the tokens themselves.
            reduce: `"mean"` or `"sum"`.
            tree: Another hierarchy of the same pixels, as one that goes on beyond the tokens; by
                default, the one that led to them.

        Returns:
            [n], a score a region.

        Raises:
            ValueError: There is no such level or reduction, or the hierarchy is of other pixels.
            NotHeldError: The nodes of `token_data` are no longer the tokens of the image.
        """
        one_of(reduce, REDUCTIONS, "reduce")
        own = self.token_data.tree
        tree = own if tree is None else instance(tree, Hierarchy, "tree", "a Hierarchy")
        values = self.map.flatten()
        if reduce == "sum" and self.pixel_map is None:
            share = self.tokens / self.token_data.size.to(self.tokens.dtype)
            values = share.index_select(0, self.token_data.cluster)
        return tree.pool(values, level, reduce)

    def plot(self, *, borders: bool = True) -> "matplotlib.figure.Figure":
        """The photograph with the scores over it as heat; see `spitgraph.explain.plot`.

        Args:
            borders: Whether to draw the borders of the tokens.

        Raises:
            ImportError: Matplotlib is missing: `pip install "spitgraph[plot]"`.
            ValueError: The pixels were dropped.
        """
        from spitgraph.explain.plot import plot_attribution

        return plot_attribution(self, borders=borders)

    def __repr__(self) -> str:
        pixels = "" if self.pixel_map is None else f", map={list(self.pixel_map.shape)}"
        return (
            f"Attribution(method={self.method!r}, target={self.target}, "
            f"tokens=[{len(self.tokens)}]{pixels})"
        )


# so that torch.load(..., weights_only=True) takes what torch.save wrote
torch.serialization.add_safe_globals([Attribution])
