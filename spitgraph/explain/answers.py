"""The answers that measures of faithfulness are made of: what is removed, checked at the door."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float64, Int64
from torch import Tensor, nn

from spitgraph.batching import is_batched
from spitgraph.checks import instance, one_of
from spitgraph.data import TokenData
from spitgraph.explain.attribution import Attribution
from spitgraph.explain.images import chosen, in_evaluation, targets, tokens_of
from spitgraph.explain.order import MEASURES, descending
from spitgraph.explain.removal import Dropping, Filling, Removal, probabilities
from spitgraph.models.wrappers import spit_inside
from spitgraph.nn import SPiT

#: What removing means.
REMOVALS = {
    "dropping": "tokens are left out, exactly",
    "filling": "pixels get the image's mean colour, and the image is tokenized anew",
}


def answers(
    parts: Removal,
    target: int | None,
    without: Int64[Tensor, " m"],
    only: Int64[Tensor, " k"],
) -> tuple[Float64[Tensor, ""], Float64[Tensor, " m"], Float64[Tensor, " k"]]:
    """p(c) of the whole image, without so many leading parts, and of only so many.

    What several counts ask for is evaluated once.

    Args:
        parts: What is removed.
        target: c; None for the class predicted of the whole image.
        without: Counts that are removed.
        only: Counts that are kept.

    Raises:
        ValueError: There is no such class.
    """
    gone, which_gone = torch.cat([without.new_zeros(1), without]).unique(return_inverse=True)
    there, which_there = only.unique(return_inverse=True)
    logits = parts.logits([parts.without(gone), parts.only(there)])
    p = probabilities(logits, chosen(logits[:1], target))
    p_gone, p_there = p.split([len(gone), len(there)])
    p_gone, p_there = p_gone[which_gone], p_there[which_there]
    return p_gone[0], p_gone[1:], p_there


@contextmanager
def prepared(
    model: nn.Module,
    scores: Attribution | Tensor,
    tokens: TokenData | None,
    target: int | None,
    by: str,
    removal: str,
    generator: torch.Generator | None,
) -> Iterator[tuple[Removal, int | None]]:
    """The checked parts of an image in the order of their scores, and the class.

    Within it, the model is in evaluation mode.

    Raises:
        ValueError, TypeError: See `faithfulness`.
    """
    by_pixels = one_of(by, MEASURES, "by") == "pixels"
    filling = one_of(removal, REMOVALS, "removal") == "filling"
    if isinstance(scores, Attribution):
        tokens = scores.token_data if tokens is None else tokens
        target = scores.target if target is None else target
    else:
        instance(scores, Tensor, "scores", "an Attribution or a tensor")
    (target,) = targets(target, 1)
    if tokens is None:
        raise ValueError("scores in a tensor need the tokens that they are of: tokens=…")
    instance(tokens, TokenData, "tokens", "TokenData")
    if is_batched(tokens):
        raise ValueError("expected the tokens of one image, got a batch: index it first")
    spit = spit_inside(model)
    with in_evaluation(spit):
        if filling:
            yield _filling(spit, scores, tokens, generator), target
        else:
            tokens = tokens_of(spit, tokens)
            of_tokens = scores.tokens if isinstance(scores, Attribution) else scores
            of_tokens = _checked_scores(of_tokens, (tokens.x.shape[0],))
            yield Dropping(spit, tokens, of_tokens, by_pixels, generator), target


def _filling(
    model: SPiT,
    scores: Attribution | Tensor,
    tokens: TokenData,
    generator: torch.Generator | None,
) -> Filling:
    image, cluster, *_ = next(tokens.iter_images())
    height, width = image.shape[1:]
    place = cluster.view(height, width)
    if isinstance(scores, Attribution):
        pixel_map, of_tokens = scores.map, scores.tokens
    elif scores.dim() == 2:
        pixel_map, of_tokens = scores, None
    else:
        of_tokens = _checked_scores(scores, (tokens.num_nodes,)).to(place.device)
        pixel_map = of_tokens[place]
    pixel_map, priority = _checked_scores(pixel_map, (height, width)), None
    if of_tokens is not None and len(of_tokens) == tokens.num_nodes:
        order = descending(of_tokens.to(place.device), generator)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order), device=order.device)
        priority = rank[place]
    return Filling(model, image, pixel_map.to(image.device), priority)


def _checked_scores(scores: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The scores, if they are finite numbers of a shape.

    Raises:
        ValueError: They are not.
    """
    if scores.shape != shape or scores.dtype == torch.bool or scores.is_complex():
        raise ValueError(
            f"expected scores of {list(shape)}, got {list(scores.shape)} of {scores.dtype}"
        )
    if not scores.isfinite().all():
        raise ValueError("scores must be finite, got NaN or infinity")
    return scores.detach()
