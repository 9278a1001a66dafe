"""KernelSHAP: Shapley values of an image's parts, by weighted least squares."""

from itertools import product
from math import comb
from typing import Any, SupportsIndex

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from spitgraph.checks import boolean, integer, one_of
from spitgraph.data import TokenData
from spitgraph.explain.attribution import Attribution
from spitgraph.explain.images import OUTPUTS, Scores, explained
from spitgraph.explain.pixels import predicted
from spitgraph.explain.regions import equal_draws, parts_of
from spitgraph.nn import SPiT


def kernel_shap(
    model: nn.Module,
    image: Any,
    target: Any = None,
    *,
    regions: Any = "tokens",
    n_samples: SupportsIndex = 512,
    output: str = "probability",
    generator: torch.Generator | None = None,
    progress: bool = True,
) -> Attribution | list[Attribution]:
    """KernelSHAP: Shapley values of the parts, adding up to f(image) − f(nothing).

    The φ that minimise Σ_z w(z)·(f(z) − f(∅) − Σ_{i ∈ z} φ_i)² under that constraint, with
    w(z) = (M − 1)/(C(M, |z|)·|z|·(M − |z|)). Where `n_samples` cover them, z are all 2^M − 2
    subsets of the M parts, and the values exact; otherwise z are drawn from w, each with its
    complement (Covert and Lee 2021), and of several solutions the least is taken.

    Args:
        model: A `SPiT`.
        image: One image, as `load_images` takes it, or its tokens; or a batch or list of them.
        target: A class, the predicted one by default; of several images, one for all or one each.
        regions: The parts; see `lime`.
        n_samples: Versions of the image beside the whole and the empty one. Values are noisy where
            these are not many times M.
        output: `"logit"` or `"probability"` of the target.
        generator: What the versions are drawn from, for each image from the same state; by default,
            one of seed 0.
        progress: Whether a progress bar is shown when it takes long.

    Returns:
        Scores of either sign; of areas, also pixel by pixel (`map`). A list for a batch or list.

    Raises:
        ValueError: An argument is outside its range, or there is no such class.
        ImportError: scikit-image is missing, for `"slic"`: `pip install "spitgraph[explain]"`.

    Source:
        Lundberg and Lee, A Unified Approach to Interpreting Model Predictions (2017).
    """
    read = OUTPUTS[one_of(output, OUTPUTS, "output")]
    samples = integer(n_samples, "n_samples", minimum=2)
    progress = boolean(progress, "progress")
    draws = equal_draws(generator)

    def method(spit: SPiT, tokens: TokenData, wanted: int | None) -> Scores:
        target_class = predicted(spit, tokens, wanted)
        parts = parts_of(spit, tokens, regions)
        coalitions, weights = shapley_subsets(parts.count, samples, next(draws))
        ends = torch.tensor([[False], [True]]).expand(2, parts.count)
        answers = parts.answers(
            torch.cat([ends, coalitions]),
            lambda logits: read(logits)[:, target_class],
            progress=progress,
        )
        values = shapley_values(coalitions, weights, answers[2:], answers[0], answers[1])
        return parts.scores(values.float(), target_class)

    return explained(model, image, target, "kernel_shap", method)


def shapley_subsets(
    count: int, samples: int, generator: torch.Generator
) -> tuple[Bool[Tensor, "M parts"], Float[Tensor, " M"]]:
    """Proper subsets of the parts, and what they weigh; all of them where there are few."""
    if count == 1:
        return torch.zeros(0, 1, dtype=torch.bool), torch.zeros(0, dtype=torch.float64)
    if count < 60 and 2**count - 2 <= samples:
        every = torch.tensor([*product((False, True), repeat=count)])[1:-1]
        weights = [(count - 1) / (comb(count, s) * s * (count - s)) for s in every.sum(1).tolist()]
        return every, torch.tensor(weights, dtype=torch.float64)
    sizes = torch.arange(1, count, dtype=torch.float64, device=generator.device)
    half = (samples + 1) // 2
    drawn = 1 + torch.multinomial(
        1 / (sizes * (count - sizes)), half, replacement=True, generator=generator
    )
    order = torch.rand(half, count, generator=generator, device=generator.device).argsort(dim=1)
    keep = (order < drawn[:, None]).cpu()
    keep = torch.stack([keep, ~keep], dim=1).flatten(0, 1)[:samples]
    return keep, torch.ones(samples, dtype=torch.float64)


def shapley_values(
    keep: Bool[Tensor, "M parts"],
    weights: Float[Tensor, " M"],
    values: Float[Tensor, " M"],
    nothing: Float[Tensor, ""],
    whole: Float[Tensor, ""],
) -> Float[Tensor, " parts"]:
    """The least squares of `kernel_shap`.

    φ = Δ/M + ψ, where Δ = f(image) − f(∅) and ψ adds up to 0: of rows without their mean, the least
    ψ does.
    """
    count = keep.shape[1]
    total = whole - nothing
    even = torch.full((count,), float(total) / count, dtype=torch.float64)
    if not len(keep):
        return even
    rows = keep.double()
    rest = values - nothing - rows @ even
    scale = weights.sqrt()
    centred = (rows - rows.mean(dim=1, keepdim=True)) * scale[:, None]
    psi = torch.linalg.lstsq(centred, (rest * scale)[:, None], driver="gelsd").solution[:, 0]
    return even + psi
