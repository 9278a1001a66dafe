"""Integrated gradients: what the output gains on the way from a baseline, pixel by pixel."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, SupportsIndex

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spitgraph.checks import integer, one_of
from spitgraph.data import TokenData
from spitgraph.explain.attribution import Attribution
from spitgraph.explain.images import OUTPUTS, Scores, explained
from spitgraph.explain.pixels import answer_to, of_pixels, pixels_of, predicted
from spitgraph.extras import needs_extra
from spitgraph.images import load_image
from spitgraph.nn import SPiT

#: Points of the quadrature within a piece of the way, which go forward and back at once.
POINTS = 8
#: Share of the output's change that may be missing; and of the output itself, which is rounding.
INCOMPLETE, ROUNDING = 0.01, 1e-5


def integrated_gradients(
    model: nn.Module,
    image: Any,
    target: Any = None,
    *,
    baseline: Any = None,
    n_steps: SupportsIndex = 256,
    output: str = "logit",
) -> Attribution | list[Attribution]:
    """Integrated gradients: the output's change on the way from a baseline, shared among pixels.

    (x − x′) · ∫ ∂f(x′ + α(x − x′))/∂x dα, summed over channels, the partition of x held fixed.
    Scores add up to f(x) − f(x′) within 1 %, if `n_steps` allow: the way is halved where they miss
    the output's change most, each piece by Gauss-Legendre quadrature; a warning tells where they do
    not. Transformers may change their
    mind within a hundredth of the way, as soon as a flat baseline shows a first trace of the image.

    Args:
        model: A `SPiT` whose φ is differentiable with respect to `pixels`.
        image: One image, as `load_images` takes it, or its tokens with pixels; or several.
        target: A class, the predicted one by default; of several images, one for all or one each.
        baseline: x′: a colour, three numbers in [0, 1], or an image of the same size; by default,
            the image's own mean colour.
        n_steps: At how many points of the way gradients are taken at most, at least 2.
        output: `"logit"` or `"probability"` of the target.

    Returns:
        Scores of either sign, also pixel by pixel (`map`); a list of these for a batch or list.

    Raises:
        ValueError: The pixels were dropped, φ passes no gradient on, the baseline does not fit, or
            there is no such class.
        ImportError: captum is missing: `pip install "spitgraph[explain]"`.

    Source:
        Sundararajan et al., Axiomatic Attribution for Deep Networks (2017).
    """
    read = OUTPUTS[one_of(output, OUTPUTS, "output")]
    most = integer(n_steps, "n_steps", minimum=2)
    with needs_extra("explain"):
        import captum.attr  # noqa: F401

    def method(spit: SPiT, tokens: TokenData, wanted: int | None) -> Scores:
        pixels, answer = pixels_of(tokens), answer_to(spit, tokens)
        start = baseline_of(baseline, tokens)
        number = predicted(spit, tokens, wanted)
        scores = integrated(
            lambda images: read(answer(images))[:, number], start, pixels.detach(), most
        )
        return of_pixels(scores, tokens, number)

    return explained(model, image, target, "integrated_gradients", method)


class Piece(NamedTuple):
    """A piece of the way from the baseline to the image.

    Attributes:
        ends: Where it begins and ends, in [0, 1].
        outputs: What the model says there.
        scores: [P, 3], its integral.
    """

    ends: tuple[float, float]
    outputs: tuple[float, float]
    scores: Float[Tensor, "P 3"]

    @property
    def error(self) -> float:
        """By how much the scores miss the output's change."""
        return abs(float(self.scores.sum()) - (self.outputs[1] - self.outputs[0]))


def integrated(
    output: Callable[[Tensor], Float[Tensor, " k"]],
    start: Float[Tensor, "P 3"],
    end: Float[Tensor, "P 3"],
    most: int,
) -> Float[Tensor, "P 3"]:
    """Integrated gradients of a straight way, halved where they miss the output's change most.

    Args:
        output: Of pixels [k, P, 3].
        start: x′.
        end: x.
        most: Points at which gradients may be taken.
    """
    from captum.attr import IntegratedGradients

    integral, points = IntegratedGradients(output), min(POINTS, most)

    def at(place: float) -> Float[Tensor, "1 P 3"]:
        return torch.lerp(start, end, place)[None]

    def value(place: float) -> float:
        with torch.no_grad():
            return float(output(at(place)))

    def piece(ends: tuple[float, float], outputs: tuple[float, float]) -> Piece:
        with torch.enable_grad():
            scores = integral.attribute(at(ends[1]), at(ends[0]), n_steps=points)
        return Piece(ends, outputs, scores[0].detach())

    pieces = [piece((0.0, 1.0), (value(0.0), value(1.0)))]
    before_all, after_all = pieces[0].outputs
    allowed = max(
        INCOMPLETE * abs(after_all - before_all), ROUNDING * max(abs(before_all), abs(after_all))
    )
    spent = points
    while sum(one.error for one in pieces) > allowed and spent + 2 * points <= most:
        worst = max(pieces, key=lambda one: one.error)
        pieces.remove(worst)
        (low, high), (before, after) = worst.ends, worst.outputs
        middle = (low + high) / 2
        between = value(middle)
        pieces += [piece((low, middle), (before, between)), piece((middle, high), (between, after))]
        spent += 2 * points
    missed = sum(one.error for one in pieces)
    if missed > allowed:
        warnings.warn(
            f"integrated gradients may miss {missed:.3g} of the output's change of "
            f"{abs(after_all - before_all):.3g}: raise n_steps={most}",
            stacklevel=2,
        )
    return torch.stack([one.scores for one in pieces]).sum(dim=0)


def baseline_of(baseline: Any, tokens: TokenData) -> Float[Tensor, "P 3"]:
    """Pixels to start from: the mean colour, a given one, or an image's.

    Raises:
        ValueError: It is no colour, and no image of this size.
    """
    pixels = tokens.pixels.detach()
    if baseline is None:
        return pixels.mean(dim=0).expand_as(pixels)
    if isinstance(baseline, Sequence) and len(baseline) == 3 and not isinstance(baseline, str):
        colour = torch.tensor([float(value) for value in baseline])
        if not bool(((colour >= 0) & (colour <= 1)).all()):
            raise ValueError(f"expected a baseline colour in [0, 1], got {tuple(baseline)}")
        return colour.to(pixels).expand_as(pixels)
    image = load_image(baseline)
    if [*image.shape[1:]] != tokens.image_size[0].tolist():
        raise ValueError(
            f"expected a baseline of the image's size {tokens.image_size[0].tolist()}, "
            f"got {[*image.shape[1:]]}"
        )
    return image.flatten(1).t().to(pixels)
