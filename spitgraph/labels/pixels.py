"""Labels of pixels as labels of tokens."""

from typing import Any

from spitgraph.batching import with_node_attribute
from spitgraph.data import TokenData
from spitgraph.labels.maps import checked_ignored, flat_labels, majority


def with_pixel_labels(
    tokens: TokenData, labels: Any, *, ignore_index: int | None = 255
) -> TokenData:
    """A copy of a graph whose tokens have the class of most of their pixels.

        y_S = argmax_c |{p ∈ S : ℓ_p = c}|,    y_share_S = max_c |{p ∈ S : ℓ_p = c}| / |S|

    Args:
        tokens: One image or a batch, with its pixel map.
        labels: Classes of the pixels, integers [H, W] of one image, or a picture of mode L or P
            (as PASCAL's masks); of a batch, [B, H, W] or a list.
        ignore_index: Pixels of this class do not vote, and a token without others is of it; None if
            all count.

    Returns:
        The graph with `y` [N] int64, of equally many pixels the lower class, and `y_share` [N]
        float32, the share of all of the token's pixels that are of it.

    Raises:
        ValueError: Labels do not fit the images, or the nodes are no longer their tokens.
        TypeError: Labels are not integers.
    """
    vote = majority(tokens, flat_labels(tokens, labels), checked_ignored(ignore_index))
    return with_node_attribute(with_node_attribute(tokens, "y", vote.label), "y_share", vote.share)
