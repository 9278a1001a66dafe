"""What pixels have to do with an answer, by their gradients: gradient × input."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch_geometric.data import Batch

from spitgraph.attributes import NotHeldError
from spitgraph.batching import without_attribute
from spitgraph.checks import one_of
from spitgraph.data import TokenData
from spitgraph.explain.attribution import Attribution
from spitgraph.explain.images import OUTPUTS, Scores, chosen, explained
from spitgraph.nn import SPiT


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
