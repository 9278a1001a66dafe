"""In which order tokens are removed, and how many make up a fraction of an image."""

from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from spitgraph.checks import integer, unit_interval

#: What a fraction is of.
MEASURES = {"tokens": "every token counts alike", "pixels": "a token counts as its pixels"}
#: q of comprehensiveness and sufficiency (METHOD 7).
FRACTIONS = (0.01, 0.05, 0.1, 0.2, 0.5)


def descending(scores: Tensor, generator: torch.Generator | None = None) -> Int64[Tensor, " N"]:
    """Tokens by falling score, the most relevant first.

    Equal scores say nothing about the order, and token numbers would begin at the top of the image:
    they go by a random permutation, the same for every N unless a generator is given.

    Args:
        scores: [N].
        generator: What the permutation is drawn from; by default, a fresh one of seed 0.
    """
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    shuffled = torch.randperm(len(scores), generator=generator, device=generator.device)
    shuffled = shuffled.to(scores.device)
    return shuffled[scores[shuffled].argsort(descending=True, stable=True)]


def leading_counts(
    sizes: Int64[Tensor, " N"], fractions: Iterable[float], *, at_least: int = 1
) -> Int64[Tensor, " q"]:
    """How many of the first tokens make up each fraction.

    Those whose share of the sum of sizes comes closest, more of two that come equally close. (With
    equal sizes, q·N rounded, halves up.)

    Args:
        sizes: What each token counts, in the order in which they are taken.
        fractions: Each in [0, 1].
        at_least: Tokens that are taken however small the fraction.
    """
    reached = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)]).double()  # [N + 1]
    wanted = reached.new_tensor(list(fractions)) * reached[-1]
    distance = (reached - wanted[:, None]).abs()  # [q, N + 1]
    most_first = distance.flip(1).argmin(1)  # the first of several is the one of most tokens
    return (len(sizes) - most_first).clamp(min=at_least)


def shares_of(sizes: Int64[Tensor, " N"], counts: Int64[Tensor, " q"]) -> Float64[Tensor, " q"]:
    """The fractions that the first so many tokens really make up; see `leading_counts`."""
    reached = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)]).double()
    return reached[counts] / reached[-1]


def leading(order: Int64[Tensor, " N"], counts: Int64[Tensor, " q"]) -> Bool[Tensor, "q N"]:
    """[q, N], whether a token is among the first so many of an order."""
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    return rank < counts.to(order.device)[:, None]


def checked_fractions(fractions: Iterable[float]) -> tuple[float, ...]:
    """Fractions, if there is at least one and each is in [0, 1].

    Raises:
        ValueError, TypeError: They are not.
    """
    checked = tuple(unit_interval(fraction, "fractions") for fraction in fractions)
    if not checked:
        raise ValueError("fractions must be at least one, got none")
    return checked


def even_steps(steps: int) -> tuple[float, ...]:
    """0, 1/steps, …, 1.

    Raises:
        ValueError, TypeError: The steps are not a whole number of at least 1.
    """
    steps = integer(steps, "steps")
    return tuple(step / steps for step in range(steps + 1))
