"""Labels of whole images."""

from typing import Any

import torch
from torch import Tensor

from spitgraph.batching import is_batched, set_image_attribute
from spitgraph.checks import instance
from spitgraph.data import TokenData


def with_image_labels(tokens: TokenData, labels: Any) -> TokenData:
    """A copy of a graph with the label of its image, or of each image of a batch.

    Args:
        tokens: One image or a batch.
        labels: A number of one image, or several [C] as of a multi-label task; of a batch, [B] or
            [B, C]. Integers stay integers, floats become float32.

    Returns:
        The graph with `y` [B] or [B, C], where B is 1 for one image.

    Raises:
        ValueError: There are not as many labels as images.
        TypeError: Labels are no numbers.
    """
    instance(tokens, TokenData, "tokens", "a TokenData or a batch of them")
    try:
        y = labels.detach() if isinstance(labels, Tensor) else torch.as_tensor(labels)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"labels must be numbers, got {labels!r}") from error
    y = y if is_batched(tokens) else y[None]
    count = len(tokens.image_size)
    if y.ndim not in (1, 2) or len(y) != count:
        raise ValueError(f"expected labels of {count} images, got shape {list(y.shape)}")
    y = y.float() if y.is_floating_point() else y.long()
    tokens = tokens.__copy__()
    set_image_attribute(tokens, "y", y.to(tokens.image_size.device))
    return tokens
