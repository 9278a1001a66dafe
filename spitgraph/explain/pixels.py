"""What pixels have to do with an answer: gradient × input, and integrated gradients."""

from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch_geometric.data import Batch

from spitgraph.attributes import NotHeldError
from spitgraph.batching import without_attribute
from spitgraph.checks import integer, one_of
from spitgraph.data import TokenData
from spitgraph.explain.attribution import Attribution
from spitgraph.explain.images import OUTPUTS, Scores, chosen, explained
from spitgraph.images import load_image
from spitgraph.inspection.extras import needs_extra
from spitgraph.nn import SPiT

#: Images that go forward and back at once, of integrated gradients.
MOST_AT_ONCE = 8
#: Points of their quadrature, until what is missing of the output's change is no larger a share.
STEPS, INCOMPLETE = (16, 32, 64, 128), 0.01


def input_gradient(
    model: nn.Module, image: Any, target: Any = None, *, output: str = "logit"
) -> Attribution | list[Attribution]:
    """Gradient × input: Σ over channels of a pixel's values times the output's derivatives by them.

    Of the way φ and the model read the pixels, the partition held fixed. A token's score is the sum
    over its pixels.

    Args:
        model: A `SPiT` whose φ is differentiable with respect to `pixels`.
        image: One image, as `load_images` takes it, or its tokens with pixels; or several.
        target: A class, the predicted one by default; of several images, one for all or one each.
        output: `"logit"` or `"probability"` of the target.

    Returns:
        Scores of either sign, also pixel by pixel (`map`); a list of these for a batch or list.

    Raises:
        ValueError: The pixels were dropped, φ passes no gradient on, or there is no such class.

    Source:
        Shrikumar et al., Not Just a Black Box (2016).
    """
    read = OUTPUTS[one_of(output, OUTPUTS, "output")]

    def method(spit: SPiT, tokens: TokenData, wanted: int | None) -> Scores:
        pixels, answer = pixels_of(tokens), answer_to(spit, tokens)
        number = predicted(spit, tokens, wanted)
        with torch.enable_grad():
            pixels = pixels.detach().clone().requires_grad_()
            value = read(answer(pixels[None]))[0, number]
            (gradient,) = torch.autograd.grad(value, pixels)
        return of_pixels(gradient * pixels.detach(), tokens, number)

    return explained(model, image, target, "input_gradient", method)


def integrated_gradients(
    model: nn.Module,
    image: Any,
    target: Any = None,
    *,
    baseline: Any = None,
    n_steps: SupportsIndex | None = None,
    output: str = "logit",
) -> Attribution | list[Attribution]:
    """Integrated gradients: the output's change on the way from a baseline, shared among pixels.

    (x − x′) · ∫ ∂f(x′ + α(x − x′))/∂x dα, summed over channels, by Gauss-Legendre quadrature; the
    partition of x is held fixed. Scores add up to f(x) − f(x′), as nearly as `n_steps` allow:
    without a number, the points are doubled until they do within 1 %.

    Args:
        model: A `SPiT` whose φ is differentiable with respect to `pixels`.
        image: One image, as `load_images` takes it, or its tokens with pixels; or several.
        target: A class, the predicted one by default; of several images, one for all or one each.
        baseline: x′: a colour, three numbers in [0, 1], or an image of the same size; by default,
            the image's own mean colour.
        n_steps: Points of the quadrature, at least 2; by default 16, doubled up to 128.
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
    given = None if n_steps is None else integer(n_steps, "n_steps", minimum=2)
    with needs_extra("explain"):
        from captum.attr import IntegratedGradients

    def method(spit: SPiT, tokens: TokenData, wanted: int | None) -> Scores:
        pixels, answer = pixels_of(tokens), answer_to(spit, tokens)
        start = baseline_of(baseline, tokens)
        number = predicted(spit, tokens, wanted)
        integral = IntegratedGradients(lambda images: read(answer(images)))
        with torch.no_grad():
            there, before = read(answer(torch.stack([pixels.detach(), start])))[:, number].tolist()
        for steps in STEPS if given is None else [given]:
            with torch.enable_grad():
                scores = integral.attribute(
                    pixels.detach()[None],
                    start[None],
                    target=number,
                    n_steps=steps,
                    internal_batch_size=MOST_AT_ONCE,
                )[0]
            if abs(float(scores.sum()) - (there - before)) <= INCOMPLETE * abs(there - before):
                break
        return of_pixels(scores, tokens, number)

    return explained(model, image, target, "integrated_gradients", method)


def pixels_of(tokens: TokenData) -> Float[Tensor, "P 3"]:
    """The pixels of one image's tokens.

    Raises:
        NotHeldError: They were dropped.
    """
    if "pixels" not in tokens:
        raise NotHeldError("gradients of pixels need the pixels, which the tokens do not hold")
    return tokens.pixels


def answer_to(model: SPiT, tokens: TokenData) -> Callable[[Tensor], Tensor]:
    """φ and what follows as a function of pixels [k, P, 3] of k images of one partition."""
    alone = without_attribute(tokens, "x")

    def answer(pixels: Float[Tensor, "k P 3"]) -> Float[Tensor, "k classes"]:
        images = [_with_pixels(alone, one) for one in pixels]
        batch = model.extractor(Batch.from_data_list(images))
        if pixels.requires_grad and not batch.x.requires_grad:
            raise ValueError(
                f"φ ({type(model.extractor).__name__}) passes no gradient on to the pixels"
            )
        return model.forward_tokens(batch)

    return answer


def _with_pixels(tokens: TokenData, pixels: Float[Tensor, "P 3"]) -> TokenData:
    copy = without_attribute(tokens, "pixels")
    copy.pixels = pixels
    return copy


def predicted(model: SPiT, tokens: TokenData, target: int | None) -> int:
    """The class asked for, or the one that the model predicts."""
    with torch.no_grad():
        return chosen(model.forward_tokens(tokens), target)


def of_pixels(scores: Float[Tensor, "P 3"], tokens: TokenData, target: int) -> Scores:
    """Scores of channels, summed over these, as a map, and summed over tokens."""
    height, width = tokens.image_size[0].tolist()
    per_pixel = scores.detach().sum(dim=-1)
    sums = per_pixel.new_zeros(len(tokens.size)).index_add(0, tokens.cluster, per_pixel)
    return Scores(sums, target, per_pixel.view(height, width))


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
