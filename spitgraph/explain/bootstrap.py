"""How far the mean of some images may be from that of all such images."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from spitgraph.checks import integer, number
from spitgraph.extras import needs_extra


class Interval(NamedTuple):
    """A mean and the bounds of its interval.

    Attributes:
        mean: Of the values.
        low: Lower bound.
        high: Upper bound.
    """

    mean: float
    low: float
    high: float


def bootstrap_interval(
    values: Tensor | Sequence[float],
    *,
    generator: torch.Generator | None = None,
    level: float = 0.95,
    n_resamples: int = 9999,
) -> Interval:
    """The mean of values, one an image, with a bootstrap interval.

    Images are drawn anew with replacement, as many as there are; bounds are bias-corrected and
    accelerated (BCa). Two methods on the same images are compared by the interval of the images'
    differences, which is narrower than the two intervals tell.

    Args:
        values: [n] finite numbers, at least one. Of a single one, or of equal ones, nothing is
            known of how they vary: the bounds are the mean.
        generator: What is drawn from; by default, a fresh one of seed 0.
        level: Share of such intervals that hold the true mean, in (0, 1).
        n_resamples: How often images are drawn anew.

    Raises:
        ValueError: There are no values or they are not finite; an argument is outside its range.
        ImportError: SciPy is missing: `pip install "spitgraph[explain]"`.

    Source:
        Efron, Better Bootstrap Confidence Intervals (1987), by `scipy.stats.bootstrap`.
    """
    level, n_resamples = number(level, "level"), integer(n_resamples, "n_resamples")
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    sample = torch.as_tensor(values, dtype=torch.float64).detach().cpu()
    if sample.dim() != 1 or not len(sample) or not sample.isfinite().all():
        raise ValueError(f"expected [n] finite values, n ≥ 1, got {values!r}")
    mean = float(sample.mean())
    if (sample == sample[0]).all():
        return Interval(mean, mean, mean)
    with needs_extra("explain"):
        import numpy as np
        from scipy.stats import bootstrap
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    seed = torch.randint(2**63 - 1, (1,), generator=generator, device=generator.device)
    found = bootstrap(
        (sample.numpy(),),
        np.mean,
        confidence_level=level,
        n_resamples=n_resamples,
        random_state=np.random.default_rng(int(seed)),
    )
    return Interval(mean, *(float(bound) for bound in found.confidence_interval))
