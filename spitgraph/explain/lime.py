"""LIME: a linear model of which parts of the image the answer depends on."""

from typing import Any, SupportsIndex

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from spitgraph.checks import boolean, integer, number, one_of, positive
from spitgraph.data import TokenData
from spitgraph.explain.attribution import Attribution
from spitgraph.explain.images import OUTPUTS, Scores, explained
from spitgraph.explain.pixels import predicted
from spitgraph.explain.regions import equal_draws, parts_of
from spitgraph.extras import needs_extra
from spitgraph.nn import SPiT


def lime(
    model: nn.Module,
    image: Any,
    target: Any = None,
    *,
    regions: Any = "tokens",
    n_samples: SupportsIndex = 512,
    output: str = "probability",
    kernel_width: float = 0.25,
    alpha: float = 1.0,
    generator: torch.Generator | None = None,
    progress: bool = True,
) -> Attribution | list[Attribution]:
    """LIME: coefficients of a ridge regression of the output on which parts are there.

    The image itself and `n_samples` − 1 versions of it in which each part is there with probability
    ½; a version z of M parts weighs exp(−d²/w²), d = 1 − √(|z|/M) its cosine distance from the
    whole image.

    Args:
        model: A `SPiT`.
        image: One image, as `load_images` takes it, or its tokens; or a batch or list of them.
        target: A class, the predicted one by default; of several images, one for all or one each.
        regions: The parts. `"tokens"`: the model's own, left out as if they had never been there;
            many versions make one packed batch. `"slic"`, or labels [H, W]: areas that are filled
            with the image's mean colour where left out, whatever the model's tokens; each version
            is tokenized anew.
        n_samples: Versions of the image, several a part at best.
        output: `"logit"` or `"probability"` of the target.
        kernel_width: w.
        alpha: Strength of the ridge penalty.
        generator: What the versions are drawn from, for each image from the same state; by default,
            one of seed 0.
        progress: Whether a progress bar is shown when it takes long.

    Returns:
        Scores of either sign; of areas, also pixel by pixel (`map`). A list for a batch or list.

    Raises:
        ValueError: An argument is outside its range, or there is no such class.
        ImportError: scikit-learn or scikit-image is missing: `pip install "spitgraph[explain]"`.

    Source:
        Ribeiro et al., "Why Should I Trust You?" (2016).
    """
    read = OUTPUTS[one_of(output, OUTPUTS, "output")]
    samples = integer(n_samples, "n_samples", minimum=2)
    width, penalty = positive(kernel_width, "kernel_width"), number(alpha, "alpha")
    progress = boolean(progress, "progress")
    draws = equal_draws(generator)
    with needs_extra("explain"):
        from sklearn.linear_model import Ridge

    def method(spit: SPiT, tokens: TokenData, wanted: int | None) -> Scores:
        target_class = predicted(spit, tokens, wanted)
        parts = parts_of(spit, tokens, regions)
        keep = versions(parts.count, samples, next(draws))
        answers = parts.answers(
            keep, lambda logits: read(logits)[:, target_class], progress=progress
        )
        fit = Ridge(alpha=penalty).fit(
            keep.numpy(), answers.numpy(), sample_weight=closeness(keep, width).numpy()
        )
        return parts.scores(torch.from_numpy(fit.coef_).float(), target_class)

    return explained(model, image, target, "lime", method)


def versions(count: int, samples: int, generator: torch.Generator) -> Bool[Tensor, "M parts"]:
    """The whole image, and versions of which each part is with probability ½; on the CPU."""
    keep = torch.rand(samples, count, generator=generator, device=generator.device) < 0.5
    keep[0] = True
    return keep.cpu()


def closeness(keep: Bool[Tensor, "M parts"], width: float) -> Float[Tensor, " M"]:
    """exp(−d²/w²), d the cosine distance from the whole image."""
    distance = 1 - keep.double().mean(dim=1).sqrt()
    return (-(distance**2) / width**2).exp()
