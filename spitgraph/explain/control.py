"""What any attribution has to be better than: an order drawn at random."""

from typing import Any

import torch
from torch import nn

from spitgraph.data import TokenData
from spitgraph.explain.attribution import Attribution
from spitgraph.explain.images import Scores, explained
from spitgraph.explain.pixels import predicted
from spitgraph.explain.regions import equal_draws
from spitgraph.nn import SPiT


def random_order(
    model: nn.Module,
    image: Any,
    target: Any = None,
    *,
    generator: torch.Generator | None = None,
) -> Attribution | list[Attribution]:
    """Scores drawn uniformly from [0, 1): the control of measures of faithfulness.

    Args:
        model: A `SPiT`.
        image: One image, as `load_images` takes it, or its tokens; or a batch or list of them.
        target: A class, the predicted one by default; of several images, one for all or one each.
        generator: What scores are drawn from, for each image from the same state; by default, one
            of seed 0.

    Returns:
        An attribution; a list for a batch or list.

    Raises:
        ValueError: There is no such class.
    """
    draws = equal_draws(generator)

    def method(spit: SPiT, tokens: TokenData, wanted: int | None) -> Scores:
        target_class, drawn = predicted(spit, tokens, wanted), next(draws)
        scores = torch.rand(tokens.num_nodes, generator=drawn, device=drawn.device)
        return Scores(scores.to(tokens.x.device), target_class)

    return explained(model, image, target, "random_order", method)
