"""What is explained: images one after the other, each with its class, the model in eval mode."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spitgraph.batching import is_batched
from spitgraph.checks import as_integer, integer
from spitgraph.data import TokenData
from spitgraph.explain.attribution import Attribution
from spitgraph.images import checked_images
from spitgraph.models.wrappers import spit_inside
from spitgraph.nn import SPiT

#: What a model says of a class.
OUTPUTS = {
    "logit": lambda logits: logits,
    "probability": lambda logits: logits.softmax(dim=-1),
}


class Scores(NamedTuple):
    """What a method finds in one image.

    Attributes:
        tokens: [N], a score a token.
        target: The class that they are about.
        map: [H, W], where the method scores pixels; None where those of a token are alike.
    """

    tokens: Tensor
    target: int
    map: Tensor | None = None


#: A method on one image: the model, its tokens, and the class asked for.
Method = Callable[[SPiT, TokenData, int | None], Scores]


def explained(
    model: nn.Module, image: Any, target: Any, name: str, method: Method
) -> Attribution | list[Attribution]:
    """A method applied to an image, or to each of several on its own: no batch has a say in it.

    The model is in evaluation mode meanwhile.

    Args:
        model: A `SPiT`, alone or wrapped; compiled ones run as they were before.
        image: Anything that `load_images` takes, or `TokenData` or a batch of it, with `x`.
        target: A class, the predicted one for None, or one of these for each image.
        name: Of the method.
        method: It, for one image.

    Returns:
        An `Attribution`, or a list of them for a batch or list.

    Raises:
        ValueError: There is not a target for every image, or no such class.
        TypeError: No `SPiT`, images or classes.
    """
    spit = spit_inside(model)
    images, several = separate(image)
    attributions = []
    with torch.inference_mode(False), in_evaluation(spit):
        for one, wanted in zip(images, targets(target, len(images)), strict=True):
            tokens = tokens_of(spit, one)
            scores = method(spit, tokens, wanted)
            attributions.append(
                Attribution(
                    tokens=scores.tokens.detach(),
                    target=scores.target,
                    method=name,
                    token_data=detached(tokens),
                    pixel_map=None if scores.map is None else scores.map.detach(),
                )
            )
    return attributions if several else attributions[0]


def separate(image: Any) -> tuple[list[Any], bool]:
    """Images or token graphs one by one, and whether a batch or list came."""
    if isinstance(image, TokenData):
        several = is_batched(image)
        return (image.to_data_list() if several else [image]), several
    if isinstance(image, list | tuple) and any(isinstance(one, TokenData) for one in image):
        for one in image:
            if not isinstance(one, TokenData) or is_batched(one):
                raise TypeError(
                    "expected images, or the TokenData of one image each, got a list of both or of "
                    "batches"
                )
        return list(image), True
    return checked_images(image)


def targets(target: Any, count: int) -> list[int | None]:
    """A class for each image, None standing for the predicted one.

    Raises:
        ValueError: Several, but not as many.
        TypeError: One is no whole number.
    """
    if isinstance(target, Tensor) and target.dim() == 1:
        target = target.tolist()
    wanted = [*target] if isinstance(target, Sequence) else [target] * count
    if len(wanted) != count:
        raise ValueError(f"expected a target for each of {count} images, got {len(wanted)}")
    for one in wanted:
        if one is not None and as_integer(one) is None:
            raise TypeError(f"target must be the number of a class or None, got {one!r}")
    return [None if one is None else integer(one, "target", minimum=None) for one in wanted]


def tokens_of(model: SPiT, image: Any) -> TokenData:
    """Tokens of an image, with vectors, on the model's device.

    Raises:
        ValueError: A token graph has no `x`.
    """
    if not isinstance(image, TokenData):
        with torch.no_grad():
            return model.tokenize(image)
    if image.x is None:
        raise ValueError("the tokens have no x: an extractor sets it, as in model.tokenize(image)")
    device = next(model.embedder.parameters(), image.x).device
    if image.x.device == device and not image.x.is_inference():
        return image
    return image.clone().to(device)


def detached(tokens: TokenData) -> TokenData:
    """The tokens without what gradients would flow through."""
    if not any(value.requires_grad for value in tokens.to_dict().values() if _is_tensor(value)):
        return tokens
    return tokens.clone().apply(lambda value: value.detach())


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def chosen(logits: Tensor, target: int | None) -> int:
    """The class asked for, or the one of the largest logit.

    Args:
        logits: [1, classes].
        target: Its number, or None.

    Raises:
        ValueError: There is no such class.
    """
    classes = logits.shape[-1]
    if target is None:
        return int(logits[0].argmax())
    if not 0 <= target < classes:
        raise ValueError(f"target must be a class in 0 … {classes - 1}, got {target}")
    return target


@contextmanager
def in_evaluation(model: nn.Module) -> Iterator[None]:
    """Within it, a model is in evaluation mode; afterwards each of its modules is as it was."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
