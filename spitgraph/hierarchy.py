"""Hierarchy: the regions of a batch at every level, as the parent of each at the next."""

from typing import NamedTuple

from jaxtyping import Int64
from torch import Tensor


class Hierarchy(NamedTuple):
    """Nested partitions of a batch of images: B images, P leaves (pixels) in all.

    Attributes:
        parent: [M] int64, parent maps (region of level t → region of level t + 1), image after
            image, level after level, numbered within their image.
        counts: [Σ(T_b + 1)] int64 on the CPU, regions of each level 0 … T_b of each image.
        num_levels: [B] int64 on the CPU, T_b.
        cluster: [P] int64, region of the last level of each leaf, numbered over the batch.
    """

    parent: Int64[Tensor, " M"]
    counts: Int64[Tensor, " L"]
    num_levels: Int64[Tensor, " B"]
    cluster: Int64[Tensor, " P"]
