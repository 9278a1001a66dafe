"""Whether a model's answer depends on what an attribution says that it depends on (METHOD 7)."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spitgraph.data import TokenData
from spitgraph.explain.answers import answers, prepared
from spitgraph.explain.attribution import Attribution
from spitgraph.explain.curve import Curve
from spitgraph.explain.order import (
    FRACTIONS,
    checked_fractions,
    even_steps,
    leading_counts,
    shares_of,
)

#: Steps of a curve.
STEPS = 20


@dataclass(eq=False)
class Faithfulness:
    """All four measures of one attribution.

    Attributes:
        comprehensiveness: Higher is better.
        sufficiency: Lower is better.
        deletion: A lower area is better.
        insertion: A higher area is better.
    """

    comprehensiveness: float
    sufficiency: float
    deletion: Curve
    insertion: Curve


def faithfulness(
    model: nn.Module,
    scores: Attribution | Tensor,
    tokens: TokenData | None = None,
    target: int | None = None,
    *,
    fractions: Iterable[float] = FRACTIONS,
    steps: int = STEPS,
    by: str = "tokens",
    removal: str = "dropping",
    generator: torch.Generator | None = None,
) -> Faithfulness:
    """Comprehensiveness, sufficiency, deletion and insertion, from one packed batch.

    States of the image that several of them ask for are evaluated once. Nothing depends on other
    images.

    Args:
        model: A `SPiT`; it is in evaluation mode meanwhile.
        scores: An `Attribution`, or a tensor [N] of a score a token; for `removal="filling"` also
            [H, W] of a score a pixel. Higher ones are more relevant. Equal ones go by a random
            permutation, those of pixels of the same token row by row.
        tokens: One image's, with `x` set; the attribution's own by default.
        target: A class; the attribution's by default, and without one the predicted class.
        fractions: q of comprehensiveness and sufficiency, each of which removes or keeps at least
            one token: as many as come closest to the fraction, halves up.
        steps: Of the curves.
        by: Whether fractions are of `"tokens"` or of `"pixels"`; filling counts pixels always.
        removal: `"dropping"` or `"filling"`.
        generator: What the permutation of equal scores is drawn from; by default, a fresh one of
            seed 0.

    Raises:
        ValueError: An argument is outside its range, scores are not finite or not one a token, or
            the tokens are of several images.
        TypeError: The scores or tokens are none.
    """
    options = (by, removal, generator)
    fractions, shares = checked_fractions(fractions), even_steps(steps)
    with prepared(model, scores, tokens, target, *options) as (parts, target):
        some = leading_counts(parts.sizes, fractions)
        curve = leading_counts(parts.sizes, shares, at_least=0).unique()
        counts = torch.cat([some, curve])
        whole, without, only = answers(parts, target, counts, counts)
    share = shares_of(parts.sizes, curve)
    return Faithfulness(
        comprehensiveness=float(whole - without[: len(some)].mean()),
        sufficiency=float(whole - only[: len(some)].mean()),
        deletion=Curve(share, without[len(some) :]),
        insertion=Curve(share, only[len(some) :]),
    )


def comprehensiveness(
    model: nn.Module,
    scores: Attribution | Tensor,
    tokens: TokenData | None = None,
    target: int | None = None,
    *,
    fractions: Iterable[float] = FRACTIONS,
    by: str = "tokens",
    removal: str = "dropping",
    generator: torch.Generator | None = None,
) -> float:
    """How much of the class's probability goes with the most relevant tokens; higher is better.

    Mean over q of p(c|x) − p(c|x without the top q %). In [−1, 1].

    Args:
        model: See `faithfulness`, as for all arguments.
        scores: An `Attribution`, or [N].
        tokens: One image's.
        target: c.
        fractions: q.
        by: `"tokens"` or `"pixels"`.
        removal: `"dropping"` or `"filling"`.
        generator: Of equal scores' order.

    Raises:
        ValueError, TypeError: See `faithfulness`.

    Source:
        DeYoung et al., ERASER (2020), section 4.2; METHOD 7.
    """
    fractions = checked_fractions(fractions)
    with prepared(model, scores, tokens, target, by, removal, generator) as (parts, target):
        counts = leading_counts(parts.sizes, fractions)
        whole, without, _ = answers(parts, target, counts, counts[:0])
    return float(whole - without.mean())


def sufficiency(
    model: nn.Module,
    scores: Attribution | Tensor,
    tokens: TokenData | None = None,
    target: int | None = None,
    *,
    fractions: Iterable[float] = FRACTIONS,
    by: str = "tokens",
    removal: str = "dropping",
    generator: torch.Generator | None = None,
) -> float:
    """How much of the class's probability the most relevant tokens fail to give; lower is better.

    Mean over q of p(c|x) − p(c|only the top q %). In [−1, 1].

    Args:
        model: See `faithfulness`, as for all arguments.
        scores: An `Attribution`, or [N].
        tokens: One image's.
        target: c.
        fractions: q.
        by: `"tokens"` or `"pixels"`.
        removal: `"dropping"` or `"filling"`.
        generator: Of equal scores' order.

    Raises:
        ValueError, TypeError: See `faithfulness`.

    Source:
        DeYoung et al., ERASER (2020), section 4.2; METHOD 7.
    """
    fractions = checked_fractions(fractions)
    with prepared(model, scores, tokens, target, by, removal, generator) as (parts, target):
        counts = leading_counts(parts.sizes, fractions)
        whole, _, only = answers(parts, target, counts[:0], counts)
    return float(whole - only.mean())


def deletion(
    model: nn.Module,
    scores: Attribution | Tensor,
    tokens: TokenData | None = None,
    target: int | None = None,
    *,
    steps: int = STEPS,
    by: str = "tokens",
    removal: str = "dropping",
    generator: torch.Generator | None = None,
) -> Curve:
    """The class's probability while the most relevant tokens are removed first.

    A low area says that the first ones mattered. The curve ends where no token is left; where
    there are fewer tokens than steps, it has a point a token.

    Args:
        model: See `faithfulness`, as for all arguments.
        scores: An `Attribution`, or [N].
        tokens: One image's.
        target: The class.
        steps: Points of the curve beyond the first.
        by: `"tokens"` or `"pixels"`.
        removal: `"dropping"` or `"filling"`.
        generator: Of equal scores' order.

    Raises:
        ValueError, TypeError: See `faithfulness`.

    Source:
        Petsiuk et al., RISE (2018), section 4.1.
    """
    shares = even_steps(steps)
    with prepared(model, scores, tokens, target, by, removal, generator) as (parts, target):
        counts = leading_counts(parts.sizes, shares, at_least=0).unique()
        _, without, _ = answers(parts, target, counts, counts[:0])
    return Curve(shares_of(parts.sizes, counts), without)


def insertion(
    model: nn.Module,
    scores: Attribution | Tensor,
    tokens: TokenData | None = None,
    target: int | None = None,
    *,
    steps: int = STEPS,
    by: str = "tokens",
    removal: str = "dropping",
    generator: torch.Generator | None = None,
) -> Curve:
    """The class's probability while the most relevant tokens are put back first, from none to all.

    A high area says that the first ones are enough.

    Args:
        model: See `faithfulness`, as for all arguments.
        scores: An `Attribution`, or [N].
        tokens: One image's.
        target: The class.
        steps: Points of the curve beyond the first.
        by: `"tokens"` or `"pixels"`.
        removal: `"dropping"` or `"filling"`.
        generator: Of equal scores' order.

    Raises:
        ValueError, TypeError: See `faithfulness`.

    Source:
        Petsiuk et al., RISE (2018), section 4.1.
    """
    shares = even_steps(steps)
    with prepared(model, scores, tokens, target, by, removal, generator) as (parts, target):
        counts = leading_counts(parts.sizes, shares, at_least=0).unique()
        _, _, only = answers(parts, target, counts[:0], counts)
    return Curve(shares_of(parts.sizes, counts), only)
