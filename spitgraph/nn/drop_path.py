"""DropPath: leaving out a branch for some images of a batch, in training."""

from jaxtyping import Float
from torch import Tensor, nn

from spitgraph.checks import unit_interval
from spitgraph.nn.packed_attention import Packing


class DropPath(nn.Module):
    """Stochastic depth per image (Huang et al. 2016): all rows of an image go together.

    The same draw, from the global generator, serves both layouts: packed or padded, the same seed
    drops the same images.

    Args:
        drop_prob: Probability that an image goes without the branch, in [0, 1); the others'
            branches are scaled up so that the mean stays.

    Raises:
        ValueError, TypeError: The probability is outside its range, or no number.
    """

    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__()
        self.drop_prob = unit_interval(drop_prob, "drop_prob")
        if self.drop_prob == 1:
            raise ValueError("drop_prob must be below 1: nothing would be left")

    def forward(
        self, x: Float[Tensor, "*rows D"], packing: Packing | None = None
    ) -> Float[Tensor, "*rows D"]:
        """The branch, zero for some images.

        Args:
            x: [B, L, D], or packed [S, D].
            packing: Where each image lies, for packed rows.
        """
        if not self.training or self.drop_prob == 0:
            return x
        keep = 1 - self.drop_prob
        num_images = x.shape[0] if packing is None else packing.num_images
        scale = x.new_empty(num_images, 1).bernoulli_(keep) / keep
        if packing is not None:
            return x * scale.index_select(0, packing.image)
        return x * scale[:, None]

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        return f"drop_prob={self.drop_prob:g}"
